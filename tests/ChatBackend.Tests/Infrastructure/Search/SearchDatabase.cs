using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Search.Postgres;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Search;

/// <summary>A migrated, empty database and the index in it, without the rest of the service.</summary>
public sealed class SearchDatabase : IAsyncLifetime
{
    private string _connectionString = "";

    /// <summary>Connections to the database.</summary>
    public NpgsqlDataSource Connections { get; private set; } = null!;

    /// <summary>Npgsql keywords for the database.</summary>
    public string ConnectionString => _connectionString;

    internal PostgresPassageIndex Index { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        // The application does this at its start.
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        _connectionString = await PostgresServer.CreateDatabaseAsync();
        await new Migrator(NullLogger<Migrator>.Instance).UpAsync(new(_connectionString), null, CancellationToken.None);
        Connections = NpgsqlDataSource.Create(_connectionString);
        Index = new(Connections);
    }

    /// <summary>One value.</summary>
    public async Task<T?> ScalarAsync<T>(string sql)
    {
        await using var connection = await Connections.OpenConnectionAsync();
        return await connection.ExecuteScalarAsync<T>(new(sql, commandTimeout: 60));
    }

    public async ValueTask DisposeAsync()
    {
        await Connections.DisposeAsync();
        await PostgresServer.DropDatabaseAsync(_connectionString);
    }
}
