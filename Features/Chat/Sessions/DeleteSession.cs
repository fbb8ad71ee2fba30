using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Conversations;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Chat.Sessions;

internal static class DeleteSession
{
    public static void MapDeleteSession(this IEndpointRouteBuilder chat) => chat
        .MapDelete("/sessions/{id}", HandleAsync)
        .WithName(nameof(DeleteSession))
        .FailsWith(StatusCodes.Status404NotFound, "session_not_found");

    /// <summary>Delete a conversation with its messages, turns and feedback.</summary>
    /// <param name="id">The session's id.</param>
    /// <response code="204">It was deleted; a turn that was running gets no answer.</response>
    /// <response code="404">There is no such session, or it belongs to another reader.</response>
    internal static async Task<Results<NoContent, ProblemHttpResult>> HandleAsync(
        string id, CurrentReader reader, NpgsqlDataSource database, CancellationToken cancellationToken)
    {
        if (!KeyId.TryParse(id, out var sessionId))
            return NotFound();

        // Looked up first: a retry after a lost reply finds nothing, and must still report success.
        var wasThere = false;
        await database.RetryAsync(
            async connection =>
            {
                wasThere = wasThere || await connection.ExecuteScalarAsync<bool>(Command($"select exists (select from chat_sessions as s where {Owned})"));
                return wasThere ? await connection.ExecuteAsync(Command(DeletedConversations.Delete(Owned))) : 0;
            },
            cancellationToken);
        return wasThere ? TypedResults.NoContent() : NotFound();

        CommandDefinition Command(string sql) => new(sql, new { sessionId, reader.Subject }, cancellationToken: cancellationToken);
    }

    private const string Owned = "s.id = @sessionId and (s.user_id is null or s.user_id = @Subject)";

    private static ProblemHttpResult NotFound() => Problem.NotFound("session_not_found", "There is no such session.");
}
