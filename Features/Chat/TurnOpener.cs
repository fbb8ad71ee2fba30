using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Limits;
using ChatBackend.Infrastructure.Observability;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Chat;

/// <summary>A turn that runs or has ended, or why there is none.</summary>
/// <param name="Refusal">Null if there is a turn.</param>
/// <param name="IsStopping">True if a client that follows turns must wait for the turn's end, and then ask again.</param>
/// <param name="Follower">The request's id among those that wait for the turn.</param>
internal readonly record struct OpenedTurn(
    Guid TurnId, Guid SessionId, ProblemHttpResult? Refusal = null, bool IsStopping = false, Guid Follower = default)
{
    public static implicit operator OpenedTurn(ProblemHttpResult refusal) => new(Guid.Empty, Guid.Empty, refusal);
}

/// <summary>What every door to the service does between a valid request and a running turn: idempotency, the limit, the budget.</summary>
internal sealed class TurnOpener(
    NpgsqlDataSource database, TurnRunner runner, IOptions<TurnOptions> options, [FromKeyedServices(RateLimit.Chat)] RateLimit limit, TokenBudget budget)
{
    /// <summary>Keys without a token and a session are unique only because they are random.</summary>
    private const string Anonymous = "anonymous";

    /// <param name="sessionId">The conversation that the client named, which begins if there is none; null for a new one.</param>
    /// <param name="key">The client's own name for the request, which is unique in the session or, without one, for the reader; null for none.</param>
    /// <param name="isFollowed">True if the client cannot come back for the answer: a repeat gets a whole one.</param>
    public async Task<OpenedTurn> AskAsync(
        Question question, Guid? sessionId, string? key, CurrentReader reader, HttpContext context, CancellationToken cancellationToken, bool isFollowed = false)
    {
        IdempotencyKey? named = null;
        if (key is not null)
        {
            if (IdempotencyHeader.Read(key) is not { } text)
                return IdempotencyHeader.Invalid();
            if (sessionId is null && reader.Subject is null && !KeyId.TryParse(text.ToLowerInvariant(), out _))
                return Problem.Invalid("idempotency-key", "must be a random UUID where there is neither a token nor a session_id: another reader could choose the same key.");
            named = sessionId is { } session ? IdempotencyKey.InSession(session, text) : new(reader.Subject is { } subject ? $"user:{subject}" : Anonymous, text);
        }

        return await OpenAsync(question, sessionId ?? Guid.NewGuid(), named, place: null, reader, context, cancellationToken, isFollowed, isNewSession: sessionId is null);
    }

    /// <param name="place">What makes place for the turn if it is not simply the next one.</param>
    public async Task<OpenedTurn> OpenAsync(
        Question question, Guid sessionId, IdempotencyKey? key, TurnPlace? place, CurrentReader reader, HttpContext context, CancellationToken cancellationToken,
        bool isFollowed = false, bool isNewSession = false)
    {
        context.Items[RequestLog.SessionKey] = sessionId;
        // The limit is for calls to the model. A retry whose turn is answered or running makes none.
        if (limit.Take(context) is { } refusal && (key is null || !await OpenTurn.IsKnownAsync(database, key, isFollowed, cancellationToken)))
            return refusal;

        var account = await budget.AccountOfAsync(context, cancellationToken);
        var claimId = Guid.NewGuid();
        // Not the request's token: once the question may be stored, the turn starts even if the client has disconnected.
        var opening = await OpenTurn.RunAsync(
            database, options.Value, runner.Process, sessionId, isNewSession, reader.Subject, question, key, budget, account, place, isFollowed, claimId,
            CancellationToken.None);
        switch (opening)
        {
            case TurnOpening.SessionNotFound:
                return Problem.NotFound("session_not_found", "There is no such session.");
            case TurnOpening.KeyReused:
                return Problem.Of(StatusCodes.Status422UnprocessableEntity, "idempotency_key_reused", "This Idempotency-Key was used before with another body.");
            case TurnOpening.BudgetSpent:
                return budget.Refuse();
            case TurnOpening.NoPlace no:
                return Problem.Of(StatusCodes.Status409Conflict, no.Code, no.Detail);
            case TurnOpening.Claimed claimed:
                runner.Start(claimed.Turn, claimed.Conversation);
                return Opened(claimed.Turn.Id, claimed.Turn.SessionId);
            case TurnOpening.Repeated repeated:
                return Opened(repeated.TurnId, repeated.SessionId) with { IsStopping = repeated.IsStopping };
            default:
                throw new InvalidOperationException($"Unknown opening {opening.GetType().Name}.");
        }

        OpenedTurn Opened(Guid turnId, Guid session)
        {
            context.Items[RequestLog.SessionKey] = session;
            return new(turnId, session, Follower: claimId);
        }
    }
}
