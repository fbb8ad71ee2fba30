using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Chat.AiSdk;

internal static class GetAiSdkStream
{
    public static void MapGetAiSdkStream(this IEndpointRouteBuilder aiSdk) => aiSdk
        .MapGet("/{id}/stream", HandleAsync)
        .WithName(nameof(GetAiSdkStream))
        .WithMetadata(AiSdkStream.Description)
        .FailsWith(StatusCodes.Status404NotFound, "session_not_found");

    /// <summary>The answer of a chat that is being written, from its start.</summary>
    /// <remarks>For `resumeStream` of the AI SDK, after a reload or a lost connection.</remarks>
    /// <param name="id">The chat's id.</param>
    /// <response code="200">The answer.</response>
    /// <response code="204">No answer is being written: there is no such chat, it belongs to another reader, or its last answer is complete.</response>
    /// <response code="404">No chat can have this id: it could be guessed.</response>
    internal static async Task<Results<ServerSentEvents, NoContent, ProblemHttpResult>> HandleAsync(
        string id, CurrentReader reader, HttpContext context, NpgsqlDataSource database, TurnReader turns, CancellationToken cancellationToken)
    {
        if (ChatId.ToSession(id, reader.Subject) is not { } sessionId)
            return Problem.NotFound("session_not_found", ChatId.Rule);

        var turnId = await database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<Guid?>(new(
                """
                select t.id
                from turns as t
                join chat_sessions as s on s.id = t.session_id
                where t.session_id = @sessionId and (s.user_id is null or s.user_id = @Subject) and t.state = 'running'
                order by t.number desc
                limit 1
                """,
                new { sessionId, reader.Subject }, cancellationToken: cancellationToken)),
            cancellationToken);
        return turnId is { } running
            ? AiSdkStream.Of(turns.FollowAsync(running, after: null, cancellationToken), context.Response)
            : TypedResults.NoContent();
    }
}
