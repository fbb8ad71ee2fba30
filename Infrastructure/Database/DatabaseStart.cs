using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Infrastructure.Database;

/// <summary>
/// Runs the migrations at start, and stops the private server at the end. A database that cannot be reached does not stop
/// the service (a platform gives up on one that keeps dying): it is tried again until it is there, and
/// <c>/health/ready</c> tells.
/// </summary>
internal sealed class DatabaseStart(
    IOptions<DatabaseOptions> options, IServiceProvider services, Migrator migrator, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<DatabaseStart> log)
    : IHostedService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    private readonly TaskCompletionSource _migrated = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private Task _retrying = Task.CompletedTask;

    /// <summary>True once every script is applied.</summary>
    public bool IsMigrated => _migrated.Task.IsCompletedSuccessfully;

    /// <summary>Waits until every script is applied.</summary>
    public Task WaitAsync(CancellationToken cancellationToken) => _migrated.Task.WaitAsync(cancellationToken);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (!await TryMigrateAsync(cancellationToken))
            _retrying = RetryAsync();
    }

    public async Task StopAsync(CancellationToken cancellationToken)
    {
        // Said again for the commands that use the database without the host.
        lifetime.StopApplication();
        await _retrying;
        if (options.Value.Url is null)
        {
            await services.GetRequiredService<NpgsqlDataSource>().DisposeAsync();
            await services.GetRequiredService<LocalPostgres>().StopAsync();
        }
    }

    private async Task RetryAsync()
    {
        try
        {
            do
                await Task.Delay(Pause, time, lifetime.ApplicationStopping);
            while (!await TryMigrateAsync(lifetime.ApplicationStopping));
        }
        catch (OperationCanceledException) when (lifetime.ApplicationStopping.IsCancellationRequested)
        {
            // The service stops before the database came.
        }
    }

    private async Task<bool> TryMigrateAsync(CancellationToken cancellationToken)
    {
        try
        {
            await migrator.UpAsync(services.GetRequiredService<NpgsqlConnectionStringBuilder>(), cancellationToken);
            _migrated.TrySetResult();
            return true;
        }
        catch (NpgsqlException e)
        {
            // A wrong password or a broken script also waits here, visibly: readiness stays 503 and the log repeats why.
            log.LogError(e, "The database cannot be migrated yet; trying again in {Seconds} s", Pause.TotalSeconds);
            return false;
        }
    }
}
