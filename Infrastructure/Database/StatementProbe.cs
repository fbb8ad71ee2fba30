using Dapper;
using Npgsql;

namespace ChatBackend.Infrastructure.Database;

/// <summary>Finds out what is between the service and PostgreSQL.</summary>
internal static class StatementProbe
{
    private const string ServerProcess = "select pg_backend_pid()";

    /// <summary>In seconds. A pooler may have no free connection.</summary>
    private const int Timeout = 3;

    /// <summary>Each client comes after, and before, every other.</summary>
    private static readonly int[] Order = [0, 1, 2, 1, 0, 2, 2, 1, 0];

    /// <summary>True if the process that the server names at the start is the one that runs the statements: poolers and proxies name none of the server's.</summary>
    public static async Task<bool> IsDirectAsync(NpgsqlConnection connection, CancellationToken cancellationToken) =>
        await connection.ExecuteScalarAsync<int>(Command(ServerProcess, cancellationToken)) == connection.ProcessID;

    public static async Task<bool> IsDirectAsync(NpgsqlConnectionStringBuilder settings, CancellationToken cancellationToken)
    {
        await using var connection = await OpenAsync(settings, cancellationToken);
        return await IsDirectAsync(connection, cancellationToken);
    }

    /// <summary>True if each of our connections keeps its server connection, or a prepared statement follows it to another.</summary>
    public static async Task<bool> IsCarriedAsync(NpgsqlConnectionStringBuilder settings, CancellationToken cancellationToken)
    {
        try
        {
            await using var first = await OpenAsync(settings, cancellationToken);
            await using var second = await OpenAsync(settings, cancellationToken);
            await using var third = await OpenAsync(settings, cancellationToken);
            NpgsqlConnection[] clients = [first, second, third];

            var servers = new HashSet<int>[] { [], [], [] };
            foreach (var client in Order)
                servers[client].Add(await clients[client].ExecuteScalarAsync<int>(Command(ServerProcess, cancellationToken)));
            return (servers.All(s => s.Count == 1) && servers.SelectMany(s => s).Distinct().Count() == clients.Length)
                || await FollowsAsync(first, second, cancellationToken);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested && (e is NpgsqlException || e.IsDatabaseUnavailable()))
        {
            // The statement is not there, or the pooler has no free connection: the service starts without prepared statements.
            return false;
        }
    }

    /// <summary>The second connection holds the server connection that the first one had, so that the first one gets another.</summary>
    private static async Task<bool> FollowsAsync(NpgsqlConnection first, NpgsqlConnection second, CancellationToken cancellationToken)
    {
        // A statement of this name may have been left by another client: this one tells itself by its text.
        var mark = Guid.NewGuid().ToString("N");
        await using var prepared = new NpgsqlCommand($"select pg_backend_pid() || ' {mark}'", first) { CommandTimeout = Timeout };
        await prepared.PrepareAsync(cancellationToken);
        var before = await prepared.ExecuteScalarAsync(cancellationToken) as string;
        await using var transaction = await second.BeginTransactionAsync(cancellationToken);
        await second.ExecuteScalarAsync<int>(Command(ServerProcess, cancellationToken));
        var after = await prepared.ExecuteScalarAsync(cancellationToken) as string;
        await prepared.UnprepareAsync(cancellationToken);
        // Where it did not move, nothing is known.
        return after != before && after?.EndsWith(mark, StringComparison.Ordinal) is true;
    }

    private static async Task<NpgsqlConnection> OpenAsync(NpgsqlConnectionStringBuilder settings, CancellationToken cancellationToken)
    {
        var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(settings.ConnectionString) { Pooling = false, MaxAutoPrepare = 0 }.ConnectionString);
        try
        {
            await connection.OpenAsync(cancellationToken);
            return connection;
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    private static CommandDefinition Command(string sql, CancellationToken cancellationToken) => new(sql, commandTimeout: Timeout, cancellationToken: cancellationToken);
}
