using Npgsql;

namespace ChatBackend.Infrastructure.Database;

/// <summary>Retries a statement whose connection broke. After the server was restarted or suspended, each pooled connection fails
/// once (57P01 or a closed socket), and Npgsql leaves retries to the caller (npgsql #5073).</summary>
internal static class DatabaseRetry
{
    private static readonly TimeSpan[] Pauses = [TimeSpan.Zero, TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(400)];

    /// <summary>Retries transient failures up to three times. Use it only for work that may run twice: reads and idempotent writes.</summary>
    public static async Task<T> RetryAsync<T>(
        this NpgsqlDataSource database, Func<NpgsqlConnection, Task<T>> work, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await using var connection = await PreparedStatements.OpenAsync(database, cancellationToken);
                var result = await work(connection);
                DatabaseUse.Of(database).Note();
                return result;
            }
            catch (Exception e) when (attempt < Pauses.Length && e.IsDatabaseUnavailable() && !IsTimeLimit(e))
            {
                PreparedStatements.Note(database, e);
                // A session can stay read-only after its server has become writable, and its plans can be those of a table before a migration.
                if (e.IsReadOnly() || e is PostgresException { SqlState: PostgresErrorCodes.FeatureNotSupported })
                    PreparedStatements.Clear(database);
                await Task.Delay(Pauses[attempt], cancellationToken);
            }
        }
    }

    /// <summary>Sends a statement, or a transaction, again only if it did not run because the server did not have what was prepared. For work that must not run
    /// twice, and for what is repeated after a pause anyway.</summary>
    public static async Task<T> OnceAsync<T>(
        this NpgsqlDataSource database, Func<NpgsqlConnection, Task<T>> work, CancellationToken cancellationToken)
    {
        try
        {
            await using var connection = await PreparedStatements.OpenAsync(database, cancellationToken);
            return await work(connection);
        }
        catch (Exception e) when (e.IsPreparedStatementLost())
        {
            PreparedStatements.Note(database, e);
            await using var connection = await PreparedStatements.OpenAsync(database, cancellationToken);
            return await work(connection);
        }
    }

    // A full pool or a slow statement has already used its whole time limit: a retry would only make the queue longer.
    private static bool IsTimeLimit(Exception exception) =>
        exception is TimeoutException or NpgsqlException { InnerException: TimeoutException } or PostgresException { SqlState: PostgresErrorCodes.QueryCanceled };
}
