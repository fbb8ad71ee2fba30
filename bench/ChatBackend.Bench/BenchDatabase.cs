using System.Runtime.InteropServices;
using ChatBackend.Infrastructure.Database;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChatBackend.Bench;

/// <summary>The database that is named, or a private server with PostgreSQL's own settings, which leaves nothing behind.</summary>
internal sealed class BenchDatabase : IAsyncDisposable
{
    private readonly LocalPostgres? _server;
    private readonly string? _folder;
    private readonly PosixSignalRegistration? _interrupted;

    private BenchDatabase(string connectionString, LocalPostgres? server, string? folder)
    {
        (ConnectionString, _server, _folder) = (connectionString, server, folder);
        // The server is a process of its own, which Ctrl-C does not end.
        _interrupted = server is null ? null : PosixSignalRegistration.Create(PosixSignal.SIGINT, _ => DisposeAsync().AsTask().GetAwaiter().GetResult());
    }

    public string ConnectionString { get; }

    /// <exception cref="LocalPostgresException">PostgreSQL is not installed, or does not start.</exception>
    public static async Task<BenchDatabase> StartAsync(BenchOptions options)
    {
        if (options.Database.Length > 0)
            return new(options.Database, null, null);

        var folder = Path.Combine(Path.GetTempPath(), $"chatbackend-bench-{Environment.ProcessId}");
        string[] explaining = options.IsExplained ? ["shared_preload_libraries=pg_stat_statements", "pg_stat_statements.track_planning=on"] : [];
        var server = new LocalPostgres(folder, NullLogger.Instance, explaining);
        await server.StartAsync(CancellationToken.None);
        return new(server.ConnectionString, server, folder);
    }

    public async ValueTask DisposeAsync()
    {
        if (_server is null)
            return;
        _interrupted?.Dispose();
        Npgsql.NpgsqlConnection.ClearAllPools();
        await _server.StopAsync();
        Directory.Delete(_folder!, recursive: true);
    }
}
