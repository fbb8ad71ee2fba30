using Npgsql;

namespace ChatBackend.Infrastructure.Database;

/// <summary>Runs the migrations in the background while the service already listens. An unavailable database does not stop the
/// service, because a platform gives up on a service that keeps exiting. The start is retried instead.</summary>
internal sealed class DatabaseStart(
    Migrator migrator, NpgsqlConnectionStringBuilder settings, TimeProvider time, ILogger<DatabaseStart> log, PreparedStatements? statements = null) : BackgroundService
{
    private const string WaitingForDatabase = "waiting for the database";

    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private static readonly TimeSpan LogPause = TimeSpan.FromMinutes(1);

    private readonly TaskCompletionSource _migrated = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private string? _logged;
    private long _loggedAt;

    public bool IsMigrated => _migrated.Task.IsCompletedSuccessfully;

    /// <summary>What the start waits for. <c>/health/ready</c> shows it, so it must not contain secrets.</summary>
    public string State { get; private set; } = WaitingForDatabase;

    public Task WaitAsync(CancellationToken cancellationToken) => _migrated.Task.WaitAsync(cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!await TryMigrateAsync(stoppingToken))
            await Task.Delay(Pause, time, stoppingToken);
    }

    private async Task<bool> TryMigrateAsync(CancellationToken cancellationToken)
    {
        try
        {
            // Npgsql checks its token only when a server that does not answer has reached the timeout.
            await migrator.UpAsync(settings, state => State = state, cancellationToken).WaitAsync(cancellationToken);
            if (statements is not null)
                await statements.BeginAsync(cancellationToken).WaitAsync(cancellationToken);
            _migrated.TrySetResult();
            return true;
        }
        catch (Exception e)
        {
            // A service that is stopping has not failed: log nothing.
            cancellationToken.ThrowIfCancellationRequested();
            // A wrong password or a broken script is also retried: readiness stays 503, and the log repeats the reason.
            State = e.IsReadOnly() ? "waiting for the database to take writes" : e.IsDatabaseUnavailable() ? WaitingForDatabase : "the migrations failed; the log says why";
            Log(e);
            return false;
        }
    }

    private void Log(Exception exception)
    {
        if (exception.Message == _logged && time.GetElapsedTime(_loggedAt) < LogPause)
            return;
        (_logged, _loggedAt) = (exception.Message, time.GetTimestamp());
        log.LogError(exception, "The database cannot be migrated yet ({State}); trying again every {Seconds} s", State, Pause.TotalSeconds);
    }
}
