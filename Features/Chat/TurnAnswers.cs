using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Limits;
using ChatBackend.Infrastructure.Observability;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Features.Chat;

/// <summary>Starts a turn that was opened, and answers the request with it: as JSON or as a stream.</summary>
internal sealed class TurnAnswers(TurnRunner runner, TurnReader turns, TokenBudget budget)
{
    public async Task<Results<TurnResult, ServerSentEvents, ProblemHttpResult>> AnswerAsync(
        TurnOpening opening, HttpContext context, CancellationToken cancellationToken)
    {
        switch (opening)
        {
            case TurnOpening.SessionNotFound:
                return Problem.NotFound("session_not_found", "There is no such session.");
            case TurnOpening.KeyReused:
                return Problem.Of(StatusCodes.Status422UnprocessableEntity, "idempotency_key_reused", "This Idempotency-Key was used before with another body.");
            case TurnOpening.BudgetSpent:
                return budget.Refuse();
            case TurnOpening.NoPlace refusal:
                return Problem.Of(StatusCodes.Status409Conflict, refusal.Code, refusal.Detail);
            case TurnOpening.Claimed claimed:
                runner.Start(claimed.Turn, claimed.Conversation);
                return await FollowAsync(claimed.Turn.Id, claimed.Turn.SessionId);
            case TurnOpening.Repeated repeated:
                return await FollowAsync(repeated.TurnId, repeated.SessionId);
            default:
                throw new InvalidOperationException($"Unknown opening {opening.GetType().Name}.");
        }

        async Task<Results<TurnResult, ServerSentEvents, ProblemHttpResult>> FollowAsync(Guid turnId, Guid session)
        {
            context.Items[RequestLog.SessionKey] = session;
            return ServerSentEvents.ArePreferredBy(context.Request)
                ? new ServerSentEvents(turns.FollowAsync(turnId, lastEventId: null, cancellationToken))
                : new TurnResult(await turns.WaitAsync(turnId, cancellationToken), turnId);
        }
    }
}
