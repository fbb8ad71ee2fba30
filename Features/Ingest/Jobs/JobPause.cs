using ChatBackend.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Ingest.Jobs;

/// <summary>Changes the index while no job runs and none can begin, in any process.</summary>
internal sealed class JobPause(NpgsqlDataSource database) : IDisposable
{
    // One at a time: each holds a connection, and the work may need another.
    private readonly SemaphoreSlim _one = new(1, 1);

    /// <param name="work">May run twice. It should take seconds at most, as jobs wait for it.</param>
    /// <returns>False if a job runs; nothing was done then.</returns>
    public async Task<bool> TryRunAsync(Func<CancellationToken, Task> work, CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            return await database.RetryAsync(
                async connection =>
                {
                    // The end of the transaction releases the lock. The second statement sees what was committed before the lock was taken.
                    await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
                    await connection.ExecuteAsync(new(
                        "select pg_advisory_xact_lock(@IndexLock)", new { JobLeases.IndexLock }, transaction, cancellationToken: cancellationToken));
                    var isRunning = await connection.ExecuteScalarAsync<bool>(new(
                        "select exists (select from ingest_jobs where state = 'running')", transaction: transaction, cancellationToken: cancellationToken));
                    if (!isRunning)
                        await work(cancellationToken);
                    return !isRunning;
                },
                cancellationToken);
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();
}
