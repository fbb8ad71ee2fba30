using ChatBackend.Features.Chat.Answering;

namespace ChatBackend.Features.Chat.Turns;

/// <param name="Attempt">Counts the owners, from 1; only the latest may end the turn.</param>
/// <param name="Takeovers">How many processes died with the turn since its reader last asked for it.</param>
internal sealed record ClaimedTurn(Guid Id, Guid SessionId, int Number, int Attempt, string? UserId, Question Question, int Takeovers = 0)
{
    public string ShortId => Id.ToString("N")[..8];
}
