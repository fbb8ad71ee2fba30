using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Chat.Sessions;

internal static class ClaimSession
{
    public static void MapClaimSession(this IEndpointRouteBuilder own) => own
        .MapPost("/sessions/{id}/claim", HandleAsync)
        .WithName(nameof(ClaimSession))
        .FailsWith(StatusCodes.Status404NotFound, "session_not_found");

    /// <summary>Take over a conversation that was begun without a token.</summary>
    /// <remarks>
    /// For readers who sign in during a conversation. From then on it does not exist for others. A turn that is running goes on; a stream that
    /// was opened before follows it to its end. Claiming it again is the same answer.
    /// </remarks>
    /// <param name="id">The session's id.</param>
    /// <response code="200">The conversation, which is yours now.</response>
    /// <response code="404">There is no such session, or it belongs to another reader.</response>
    internal static async Task<Results<Ok<SessionResponse>, ProblemHttpResult>> HandleAsync(
        string id, CurrentReader reader, NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        // Of two readers who claim it at once, the second waits for the row and finds it taken.
        var row = !KeyId.TryParse(id, out var sessionId) ? null : await database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<SessionRow>(new(
                $"""
                with s as (
                    update chat_sessions set user_id = @Subject
                    where id = @sessionId and (user_id is null or user_id = @Subject)
                    returning id, title, created_at, updated_at
                )
                select {SessionResponse.Columns} from s {SessionResponse.FirstQuestion}
                """,
                new { sessionId, reader.Subject }, cancellationToken: cancellationToken)),
            cancellationToken);
        return row is null ? Problem.NotFound("session_not_found", "There is no such session.") : TypedResults.Ok(SessionResponse.From(row));
    }
}
