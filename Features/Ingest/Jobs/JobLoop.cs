using ChatBackend.Infrastructure.Database;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Ingest.Jobs;

/// <summary>Runs jobs in the background, in the service. It looks for jobs of processes that died whenever this process uses the database anyway, at
/// most once in the time of a lease; while the process is idle, it looks less and less often.</summary>
internal sealed class JobLoop(
    NpgsqlDataSource database, JobRunner runner, DatabaseStart databaseStart, IOptions<IngestOptions> options, TimeProvider time, ILogger<JobLoop> log)
    : BackgroundService
{
    private static readonly TimeSpan LongestQuiet = TimeSpan.FromHours(1);

    private TaskCompletionSource _nudge = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private long _lookedAt;

    /// <summary>There may be a job to run.</summary>
    public void Nudge() => _nudge.TrySetResult();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await databaseStart.WaitAsync(stoppingToken);
        var use = DatabaseUse.Of(database);
        use.Used += LookAgain;
        try
        {
            await LoopAsync(stoppingToken);
        }
        finally
        {
            use.Used -= LookAgain;
        }
    }

    private void LookAgain(object? sender, EventArgs e)
    {
        if (time.GetElapsedTime(Volatile.Read(ref _lookedAt)) >= options.Value.Lease)
            Nudge();
    }

    private async Task LoopAsync(CancellationToken stoppingToken)
    {
        var quietSince = time.GetTimestamp();
        while (!stoppingToken.IsCancellationRequested)
        {
            var nudge = _nudge.Task;
            Volatile.Write(ref _lookedAt, time.GetTimestamp());
            var claim = await TryRunAsync(stoppingToken);
            if (claim is not Claim.Idle)
                quietSince = time.GetTimestamp();
            if (claim is Claim.Claimed)
                continue;

            // The pause is as long as there have been no jobs, so that a database that suspends when idle can do so.
            var quiet = time.GetElapsedTime(quietSince);
            var beat = options.Value.Beat;
            await Task.WhenAny(nudge, Task.Delay(quiet < beat ? beat : quiet > LongestQuiet ? LongestQuiet : quiet, time, stoppingToken));
            if (nudge.IsCompleted)
                _nudge = new(TaskCreationOptions.RunContinuationsAsynchronously);
        }
    }

    private async Task<Claim> TryRunAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await runner.RunNextAsync(cancellationToken);
        }
        catch (Exception e) when (e.IsDatabaseUnavailable())
        {
            log.LogWarning("The ingest jobs cannot be read: {Reason}", e.GetType().Name);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The host would stop the whole service.
            log.LogError(e, "The ingest jobs cannot be run");
        }

        return Claim.Busy;
    }
}
