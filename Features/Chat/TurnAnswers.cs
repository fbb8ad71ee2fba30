using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Features.Chat;

/// <summary>Answers a request with its turn: as JSON, or as the stream that the client prefers.</summary>
internal sealed class TurnAnswers(TurnReader turns)
{
    public async Task<Results<TurnResult, ServerSentEvents, ProblemHttpResult>> AnswerAsync(
        OpenedTurn turn, HttpContext context, CancellationToken cancellationToken)
    {
        if (turn.Refusal is { } refusal)
            return refusal;
        return ServerSentEvents.ArePreferredBy(context.Request)
            ? TurnEvents.Of(turns.FollowAsync(turn.TurnId, after: null, cancellationToken))
            : new TurnResult(await turns.WaitAsync(turn.TurnId, cancellationToken), turn.TurnId);
    }
}
