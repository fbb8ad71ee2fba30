using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Search.Postgres;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Search;

public sealed class SearchDatabase : IAsyncLifetime
{
    private string _connectionString = "";

    public NpgsqlDataSource Connections { get; private set; } = null!;

    public string ConnectionString => _connectionString;

    internal PostgresPassageIndex Index { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        // The application sets this when it starts.
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        _connectionString = await PostgresServer.CreateDatabaseAsync();
        await new Migrator(NullLogger<Migrator>.Instance).UpAsync(new(_connectionString), null, CancellationToken.None);
        Connections = NpgsqlDataSource.Create(_connectionString);
        Index = Another();
    }

    /// <summary>The same index, as another process would open it.</summary>
    internal PostgresPassageIndex Another(IEmbedder? embedder = null) =>
        new(Connections, embedder is null ? null : new(Connections, embedder, "en", NullLogger<PostgresVectors>.Instance));

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
