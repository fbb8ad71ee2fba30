using System.Diagnostics;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

[assembly: AssemblyFixture(typeof(ChatBackend.Tests.PostgresServer))]

namespace ChatBackend.Tests;

/// <summary>
/// The PostgreSQL server of a test run: <c>TEST_DATABASE_URL</c> if it is set, else a temporary server from the
/// installed binaries, else one from the <c>docker</c> command. Tests share the server but no rows: each application
/// has its own database.
/// </summary>
public sealed class PostgresServer : IAsyncLifetime
{
    private static readonly SemaphoreSlim Starting = new(1, 1);
    private static string? _connectionString;

    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"chatbackend-tests-{Guid.NewGuid():N}");
    private LocalPostgres? _local;
    private string? _container;

    public async ValueTask InitializeAsync()
    {
        await Starting.WaitAsync();
        try
        {
            if (Environment.GetEnvironmentVariable("TEST_DATABASE_URL") is { Length: > 0 } url)
            {
                _connectionString = DatabaseUrl.Parse(url).ConnectionString;
            }
            else if (LocalPostgres.FindBinaries() is not null)
            {
                // The rows need not survive a crash, and without fsync the tests take half the time. Workers that share a query would need /dev/shm.
                _local = new(
                    _folder, NullLogger.Instance,
                    "fsync=off", "synchronous_commit=off", "full_page_writes=off", "max_connections=400", "max_parallel_workers_per_gather=0");
                await _local.StartAsync(CancellationToken.None);
                _connectionString = _local.ConnectionString;
            }
            else
            {
                _connectionString = await StartContainerAsync();
            }
        }
        finally
        {
            Starting.Release();
        }
    }

    /// <summary>A busy machine is not an outage: the time limits are longer than the service's own.</summary>
    private static NpgsqlConnectionStringBuilder Settings => new(_connectionString) { Timeout = 60, CommandTimeout = 60 };

    /// <summary>A new, empty database on the server; the caller drops it.</summary>
    public static async Task<string> CreateDatabaseAsync()
    {
        var settings = Settings;
        await using var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync();
        settings.Database = $"test_{Guid.NewGuid():N}";
        await connection.ExecuteAsync($"create database {settings.Database}");
        return settings.ConnectionString;
    }

    /// <summary>Drops a database of <see cref="CreateDatabaseAsync"/> and closes the connections to it.</summary>
    public static async Task DropDatabaseAsync(string connectionString)
    {
        var name = new NpgsqlConnectionStringBuilder(connectionString).Database;
        await using var connection = new NpgsqlConnection(Settings.ConnectionString);
        await connection.OpenAsync();
        await connection.ExecuteAsync($"drop database if exists {name} with (force)");
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        if (_local is not null)
        {
            await _local.StopAsync();
            Directory.Delete(_folder, recursive: true);
        }

        if (_container is not null)
            await DockerAsync("rm", "--force", _container);
    }

    private async Task<string> StartContainerAsync()
    {
        _container = await DockerAsync("run", "--detach", "--publish", "127.0.0.1::5432", "--env", "POSTGRES_PASSWORD=postgres", "postgres:17", "-c", "max_connections=400");
        var port = (await DockerAsync("port", _container, "5432/tcp")).Split(':')[^1];
        var connectionString = $"Host=127.0.0.1;Port={port};Username=postgres;Password=postgres;Database=postgres";
        await Until.TrueAsync(async () =>
        {
            try
            {
                await using var connection = new NpgsqlConnection(connectionString);
                await connection.OpenAsync();
                return true;
            }
            catch (NpgsqlException)
            {
                return false;
            }
        }, "PostgreSQL in Docker did not start");
        return connectionString;
    }

    private static async Task<string> DockerAsync(params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo("docker", arguments) { UseShellExecute = false, RedirectStandardOutput = true })!;
        var output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        return process.ExitCode == 0 ? output.Trim() : throw new InvalidOperationException("There is neither PostgreSQL nor Docker. ./dev test installs PostgreSQL.");
    }
}
