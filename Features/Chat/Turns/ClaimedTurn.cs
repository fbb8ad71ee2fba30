using ChatBackend.Features.Chat.Answering;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>A turn in the hands of this process.</summary>
/// <param name="Number">Its place in the session, from 1.</param>
/// <param name="Attempt">Which owner this is; only the highest may end the turn.</param>
/// <param name="Takeovers">How many processes died with it since its reader asked for it last.</param>
internal sealed record ClaimedTurn(Guid Id, Guid SessionId, int Number, int Attempt, string? UserId, Question Question, int Takeovers = 0);
