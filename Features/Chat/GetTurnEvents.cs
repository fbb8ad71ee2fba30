using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Npgsql;

namespace ChatBackend.Features.Chat;

internal static class GetTurnEvents
{
    public static void MapGetTurnEvents(this IEndpointRouteBuilder chat) => chat
        .MapGet("/turns/{id}/events", HandleAsync)
        .WithName(nameof(GetTurnEvents))
        .FailsWith(StatusCodes.Status404NotFound, "turn_not_found");

    /// <summary>A turn's stream, from the start or from the last event that was received.</summary>
    /// <remarks>
    /// The events of <c>POST /chat</c>, also for a turn that another replica answers (in larger pieces) or that has ended.
    /// A <c>turn</c> event with a higher <c>attempt</c> means that the answer starts again.
    /// A client that reads nothing for 30 s is disconnected, and can reconnect for the rest.
    /// </remarks>
    /// <param name="id">The turn's id.</param>
    /// <response code="200">The stream.</response>
    /// <response code="204">All events were received: an EventSource does not reconnect.</response>
    /// <response code="404">There is no such turn, or it belongs to another reader.</response>
    internal static async Task<Results<ServerSentEvents, NoContent, ProblemHttpResult>> HandleAsync(
        string id, [FromHeader(Name = "Last-Event-ID"), System.ComponentModel.Description("The id of the last event that was received; the stream continues after it.")] string? lastEventId,
        CurrentReader reader, NpgsqlDataSource database, TurnReader turns, CancellationToken cancellationToken)
    {
        var turn = !KeyId.TryParse(id, out var turnId) ? null : await database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<Row>(new(
                """
                select t.attempt, t.state <> 'running' as is_ended
                from turns as t
                join chat_sessions as s on s.id = t.session_id
                where t.id = @turnId and (s.user_id is null or s.user_id = @Subject)
                """,
                new { turnId, reader.Subject }, cancellationToken: cancellationToken)),
            cancellationToken);
        if (turn is null)
            return Problem.NotFound("turn_not_found", "There is no such turn.");

        return turn.IsEnded && lastEventId == StreamCursor.EndOf(turn.Attempt)
            ? TypedResults.NoContent()
            : TurnEvents.Of(turns.FollowAsync(turnId, lastEventId, cancellationToken));
    }

    private sealed record Row(int Attempt, bool IsEnded);
}
