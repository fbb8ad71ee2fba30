using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Qdrant;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Chat.Evaluation;

/// <summary>An index beside the book's: a new database on the same server and, with Qdrant, a new collection. Both are dropped at the end.</summary>
internal sealed class ScratchIndex : IAsyncDisposable
{
    private const int AtOnce = 4;

    private readonly NpgsqlConnectionStringBuilder _server;
    private readonly string _name;
    private readonly WebApplication _app;

    private ScratchIndex(NpgsqlConnectionStringBuilder server, string name, WebApplication app) => (_server, _name, _app) = (server, name, app);

    /// <summary>What answers questions, over this index and with the settings of the service.</summary>
    public IServiceProvider Services => _app.Services;

    public static async Task<ScratchIndex> CreateAsync(IServiceProvider services, CancellationToken cancellationToken)
    {
        var server = services.GetRequiredService<NpgsqlConnectionStringBuilder>();
        var name = $"chatbackend_eval_{Guid.NewGuid():N}";
        var builder = WebApplication.CreateEmptyBuilder(new() { EnvironmentName = services.GetRequiredService<IHostEnvironment>().EnvironmentName });
        builder.Configuration.AddConfiguration(services.GetRequiredService<IConfiguration>());
        builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["DATABASE_URL"] = new NpgsqlConnectionStringBuilder(server.ConnectionString) { Database = name }.ConnectionString,
            ["QDRANT_COLLECTION"] = name,
        });
        // The builder requires a server. It is never started.
        builder.WebHost.UseKestrelCore();
        builder.Services.AddSingleton(services.GetRequiredService<ILoggerFactory>());
        builder.Services.AddSingleton(services.GetRequiredService<TimeProvider>());
        builder.AddDatabase();
        builder.AddAi();
        builder.AddPassageIndex();
        builder.AddChat();

        var scratch = new ScratchIndex(server, name, builder.Build());
        try
        {
            // An evaluation that is killed loses nothing, so its writes need not wait for the disk.
            await ExecuteAsync(server, $"create database {name}", cancellationToken);
            await ExecuteAsync(server, $"alter database {name} set synchronous_commit = off", cancellationToken);
            await scratch.Services.GetRequiredService<Migrator>()
                .UpAsync(scratch.Services.GetRequiredService<NpgsqlConnectionStringBuilder>(), report: null, cancellationToken);
            return scratch;
        }
        catch
        {
            await scratch.DisposeAsync();
            throw;
        }
    }

    public async Task FillAsync(IReadOnlyList<IndexedDocument> documents, CancellationToken cancellationToken)
    {
        var index = Services.GetRequiredService<IPassageIndex>();
        await Parallel.ForEachAsync(
            documents, new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken },
            async (document, token) => await index.ReplaceAsync(document, token));
        await index.MeasureSimilarityAsync(cancellationToken);

        // Autovacuum does this for a book some time after its ingest; the measured times are those after it.
        await using var connection = await Services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync(cancellationToken);
        await connection.ExecuteAsync(new("vacuum analyze", commandTimeout: 300, cancellationToken: cancellationToken));
    }

    public async ValueTask DisposeAsync()
    {
        if (Services.GetService<QdrantCollections>() is { } qdrant)
            await qdrant.DropAsync(CancellationToken.None);
        await _app.DisposeAsync();
        await ExecuteAsync(_server, $"drop database if exists {_name} with (force)", CancellationToken.None);
    }

    private static async Task ExecuteAsync(NpgsqlConnectionStringBuilder server, string sql, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(server.ConnectionString) { Pooling = false }.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        await connection.ExecuteAsync(new(sql, commandTimeout: 60, cancellationToken: cancellationToken));
    }
}
