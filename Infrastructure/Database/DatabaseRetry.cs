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
            catch (NpgsqlException e) when (e.IsTransient && attempt < Pauses.Length && !IsPoolExhausted(e))
            {
                await Task.Delay(Pauses[attempt], cancellationToken);
            }
        }
    }

    // Waiting again for a pool that was full for the whole time limit only makes the queue longer.
    private static bool IsPoolExhausted(NpgsqlException exception) => exception.InnerException is TimeoutException;
}
