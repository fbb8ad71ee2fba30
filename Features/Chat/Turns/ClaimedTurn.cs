using ChatBackend.Features.Chat.Answering;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>A turn that this process has the lease of.</summary>
/// <param name="Number">Its place in the session, from 1.</param>
/// <param name="Attempt">Counts the owners, from 1; only the latest may end the turn.</param>
/// <param name="Takeovers">How many processes died with it since its reader last asked for it.</param>
internal sealed record ClaimedTurn(Guid Id, Guid SessionId, int Number, int Attempt, string? UserId, Question Question, int Takeovers = 0)
{
    /// <summary>The turn, as logs name it.</summary>
    public string ShortId => Id.ToString("N")[..8];
}
