using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Chat;

internal static class DeleteSession
{
    public static void MapDeleteSession(this IEndpointRouteBuilder chat) => chat
        .MapDelete("/sessions/{id}", HandleAsync)
        .WithName(nameof(DeleteSession))
        .FailsWith(StatusCodes.Status404NotFound, "session_not_found");

    /// <summary>Forget a conversation: its messages, turns and feedback are gone from the tables.</summary>
    /// <param name="id">The session's id.</param>
    /// <response code="204">It is gone; a turn that was running ends unanswered.</response>
    /// <response code="404">There is no such session, or it belongs to somebody else.</response>
    internal static async Task<Results<NoContent, ProblemHttpResult>> HandleAsync(
        string id, CurrentReader reader, NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        var deleted = !KeyId.TryParse(id, out var sessionId) ? 0 : await database.RetryAsync(
            connection => connection.ExecuteAsync(new(
                "delete from chat_sessions where id = @sessionId and (user_id is null or user_id = @Subject)",
                new { sessionId, reader.Subject }, cancellationToken: cancellationToken)),
            cancellationToken);
        return deleted == 1 ? TypedResults.NoContent() : Problems.NotFound("session_not_found", "There is no such session.");
    }
}
