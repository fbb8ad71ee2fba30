using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Chat.Stopping;

internal static class StopTurn
{
    /// <summary>How long the process that answers the turn has to end it. After that, any process may.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public static void MapStopTurn(this IEndpointRouteBuilder chat) => chat
        .MapPost("/turns/{id}/stop", HandleAsync)
        .WithName(nameof(StopTurn))
        .FailsWith(StatusCodes.Status404NotFound, "turn_not_found")
        .FailsWith(StatusCodes.Status503ServiceUnavailable, "server_stopping");

    /// <summary>Stop a turn: the model is cancelled, and what was written so far is kept.</summary>
    /// <remarks>
    /// The turn may run on any replica. Its streams end with a `stopped` event, which has the answer as it is kept. The next question of
    /// the session does not wait for it. A turn that has ended stays as it is, so stopping may be repeated.
    /// </remarks>
    /// <param name="id">The turn's id.</param>
    /// <response code="200">The turn as it has ended: stopped, or completed or failed if it ended before.</response>
    /// <response code="404">There is no such turn, or it belongs to another reader.</response>
    /// <response code="503">This server is stopping. The turn will be stopped by another one; ask again.</response>
    internal static async Task<Results<Ok<TurnResponse>, ProblemHttpResult>> HandleAsync(
        string id, CurrentReader reader, NpgsqlDataSource database, TurnRunner runner, TurnReader turns, TurnLeases leases, CancellationToken cancellationToken)
    {
        if (KeyId.TryParse(id, out var turnId) && await RequestAsync(turnId, reader.Subject, database, runner, cancellationToken))
        {
            // A second round only if its process could not store the end: then another one takes it over and does.
            do
            {
                if (await turns.WaitAsync(turnId, cancellationToken) is { Failure: { Code: TurnFailure.ServerStoppingCode } stopping })
                    return TypedResults.Problem(stopping.ToProblem());
            }
            while (await IsRunningAsync(database, turnId, cancellationToken));
        }

        return await GetTurn.HandleAsync(id, reader, database, leases, cancellationToken);
    }

    /// <summary>Asks the process that has the turn to stop it, and does not wait for the end.</summary>
    /// <param name="follower">The request of a client that leaves: the turn goes on if others wait for it. Null to stop it for all.</param>
    /// <returns>False if the turn has ended, goes on, or is not the reader's.</returns>
    internal static async Task<bool> RequestAsync(
        Guid turnId, string? subject, NpgsqlDataSource database, TurnRunner runner, CancellationToken cancellationToken, Guid? follower = null)
    {
        // Found before the statement: a later attempt is not the one to stop.
        var running = runner.Find(turnId);
        // The shorter lease is not renewed, so a turn whose process is dead is soon taken over, and ended with the text that was saved.
        var isStopping = await database.RetryAsync(
            connection => connection.ExecuteScalarAsync<bool>(new(
                """
                with asked as (
                    select t.id, t.stop_requested_at is not null or @follower::uuid is null or t.followers <@ array[@follower::uuid] as is_stopping
                    from turns as t
                    join chat_sessions as s on s.id = t.session_id
                    where t.id = @turnId and (s.user_id is null or s.user_id = @subject) and t.state = 'running'
                      and (@follower::uuid is null or @follower::uuid = any (t.followers))
                    for update of t
                )
                update turns
                set followers = array_remove(followers, @follower::uuid),
                    stop_requested_at = case when is_stopping then coalesce(stop_requested_at, now()) end,
                    lease_until = case when is_stopping then least(lease_until, now() + @Patience) else lease_until end
                from asked
                where turns.id = asked.id
                returning is_stopping
                """,
                new { turnId, subject, Patience, follower }, cancellationToken: cancellationToken)),
            cancellationToken);
        if (isStopping)
            running?.Stop();
        return isStopping;
    }

    private static Task<bool> IsRunningAsync(NpgsqlDataSource database, Guid turnId, CancellationToken cancellationToken) => database.RetryAsync(
        connection => connection.ExecuteScalarAsync<bool>(new(
            "select exists (select from turns where id = @turnId and state = 'running')", new { turnId }, cancellationToken: cancellationToken)),
        cancellationToken);
}
