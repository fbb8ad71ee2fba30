using System.ComponentModel.DataAnnotations;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Chat;

/// <summary>A turn, for a client that lost the response.</summary>
/// <param name="State">running, completed, failed, or stopped by its reader.</param>
/// <param name="Response">The answer, as <c>POST /chat</c> returned it; of a stopped turn, what was written until then. Null while the turn runs, and if it failed.</param>
/// <param name="Error">Why there is no answer, as a problem; null unless the turn failed. A request with the same Idempotency-Key tries again.</param>
/// <param name="EndedAt">When the turn ended; null while it runs.</param>
/// <param name="SupersededBy">The turn that asked its question, or one before it, again; null unless the turn was replaced.</param>
/// <example>{"state":"completed","error":null}</example>
internal sealed record TurnResponse(
    Guid TurnId, Guid SessionId, [property: AllowedValues("running", "completed", "failed", "stopped")] string State,
    ChatResponse? Response, TurnProblem? Error, DateTime CreatedAt, DateTime? EndedAt, Guid? SupersededBy);

internal static class GetTurn
{
    public static void MapGetTurn(this IEndpointRouteBuilder chat) => chat
        .MapGet("/turns/{id}", HandleAsync)
        .WithName(nameof(GetTurn))
        .FailsWith(StatusCodes.Status404NotFound, "turn_not_found");

    /// <summary>A turn's state and, once it is done, its answer.</summary>
    /// <param name="id">The turn's id, from <c>POST /chat</c> or its stream.</param>
    /// <response code="200">The turn.</response>
    /// <response code="404">There is no such turn, or it belongs to another reader.</response>
    internal static async Task<Results<Ok<TurnResponse>, ProblemHttpResult>> HandleAsync(
        string id, CurrentReader reader, NpgsqlDataSource database, TurnLeases leases, CancellationToken cancellationToken)
    {
        var row = !KeyId.TryParse(id, out var turnId) ? null : await database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<Row>(new(
                """
                select t.session_id, t.state::text as state, t.response::text as response, t.error::text as error, t.created_at, t.ended_at, t.superseded_by,
                       t.state = 'running' and t.lease_until < now() as is_abandoned
                from turns as t
                join chat_sessions as s on s.id = t.session_id
                where t.id = @turnId and (s.user_id is null or s.user_id = @Subject)
                """,
                new { turnId, reader.Subject }, cancellationToken: cancellationToken)),
            cancellationToken);
        if (row is null)
            return Problem.NotFound("turn_not_found", "There is no such turn.");

        if (row.IsAbandoned)
            leases.Nudge();
        return TypedResults.Ok(new TurnResponse(
            turnId, row.SessionId, row.State, row.Response is null ? null : TurnJson.Read<ChatResponse>(row.Response),
            row.Error is null ? null : TurnProblem.Of(TurnJson.Read<TurnFailure>(row.Error), turnId), row.CreatedAt, row.EndedAt, row.SupersededBy));
    }

    private sealed record Row(
        Guid SessionId, string State, string? Response, string? Error, DateTime CreatedAt, DateTime? EndedAt, Guid? SupersededBy, bool IsAbandoned);
}
