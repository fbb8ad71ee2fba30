using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Limits;

namespace ChatBackend.Features.Chat.Turns;

/// <param name="Attempt">Counts the owners, from 1; only the latest may end the turn.</param>
/// <param name="Takeovers">How many processes died with the turn since its reader last asked for it.</param>
/// <param name="Account">Who its tokens are counted for; null if it was opened before they were counted.</param>
/// <param name="IsOffline">True if the budget was spent when it was asked: the book is quoted.</param>
internal sealed record ClaimedTurn(
    Guid Id, Guid SessionId, int Number, int Attempt, string? UserId, Question Question, TokenAccount? Account, bool IsOffline, int Takeovers = 0)
{
    public string ShortId => Id.ToString("N")[..8];
}
