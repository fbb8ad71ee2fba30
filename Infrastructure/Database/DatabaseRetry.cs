using Npgsql;

namespace ChatBackend.Infrastructure.Database;

/// <summary>
/// Repeats a statement whose connection broke. A server that slept or restarted fails each pooled connection once
/// (57P01 or a closed socket), and Npgsql leaves the repeating to the caller (npgsql #5073).
/// </summary>
internal static class DatabaseRetry
{
    private static readonly TimeSpan[] Pauses = [TimeSpan.Zero, TimeSpan.FromMilliseconds(100), TimeSpan.FromMilliseconds(400)];

    /// <summary>
    /// Opens a connection, runs the work and closes it; up to three more times where the failure is a passing one.
    /// Only for work that may run twice: reads, and writes that a key makes repeatable.
    /// </summary>
    public static async Task<T> RetryAsync<T>(
        this NpgsqlDataSource database, Func<NpgsqlConnection, Task<T>> work, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                await using var connection = await database.OpenConnectionAsync(cancellationToken);
                return await work(connection);
            }
            catch (Exception e) when (attempt < Pauses.Length && e.IsDatabaseUnavailable() && !IsTimeLimit(e))
            {
                // A session can stay read-only when its server no longer is: take new ones.
                if (e.IsReadOnly())
                    database.Clear();
                await Task.Delay(Pauses[attempt], cancellationToken);
            }
        }
    }

    // Waiting again, for a pool that was full or a statement that was slow for the whole time limit, only makes the queue longer.
    private static bool IsTimeLimit(Exception exception) =>
        exception is TimeoutException or NpgsqlException { InnerException: TimeoutException } or PostgresException { SqlState: PostgresErrorCodes.QueryCanceled };
}
