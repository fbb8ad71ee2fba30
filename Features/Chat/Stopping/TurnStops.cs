using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Chat.Stopping;

/// <summary>Looks four times a second whether a reader has stopped, on any replica, a turn that this process answers.</summary>
/// <remarks>The beat of <see cref="TurnLeases"/> writes, so it is slower. While no turn runs, the database is not asked and may suspend.</remarks>
internal sealed class TurnStops(NpgsqlDataSource database, TurnRunner runner, TimeProvider time, ILogger<TurnStops> log) : BackgroundService
{
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Poll, time);
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await LookAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // A turn that is not stopped in time loses its lease, and is ended by the process that takes it over.
                log.LogWarning("Could not look for turns to stop: {Reason}", e.GetType().Name);
            }
        }
    }

    private async Task LookAsync(CancellationToken cancellationToken)
    {
        var running = runner.Running.Where(r => !r.IsStopped).ToDictionary(r => r.Turn.Id);
        if (running.Count == 0)
            return;

        var stopped = await database.OnceAsync(
            connection => connection.QueryAsync<Guid>(new(
                "select id from turns where id = any(@Ids) and stop_requested_at is not null",
                new { Ids = running.Keys.ToArray() }, cancellationToken: cancellationToken)),
            cancellationToken);
        foreach (var id in stopped)
            running[id].Stop();
    }
}
