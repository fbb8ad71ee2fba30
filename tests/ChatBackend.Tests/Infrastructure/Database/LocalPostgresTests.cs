using System.Diagnostics;
using ChatBackend.Infrastructure.Database;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Database;

public sealed class LocalPostgresTests : IAsyncLifetime
{
    private readonly string _folder = Path.Combine(Path.GetTempPath(), $"chatbackend-local-{Guid.NewGuid():N}");
    private LocalPostgres _server = null!;

    private string PidFile => Path.Combine(_folder, "postgres", "postmaster.pid");

    public ValueTask InitializeAsync()
    {
        Assert.SkipWhen(LocalPostgres.FindBinaries() is null, "PostgreSQL's binaries are not installed.");
        _server = NewServer();
        return ValueTask.CompletedTask;
    }

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await _server.StopAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_server_that_was_killed_starts_again_with_its_data()
    {
        await _server.StartAsync(TestContext.Current.CancellationToken);
        await ExecuteAsync("create table kept (id integer)");
        NpgsqlConnection.ClearAllPools();
        using (var postmaster = Process.GetProcessById(int.Parse(File.ReadLines(PidFile).First())))
            postmaster.Kill();

        _server = NewServer();
        await _server.StartAsync(TestContext.Current.CancellationToken);

        await ExecuteAsync("select from kept");
    }

    [Fact]
    public async Task A_process_id_that_another_program_has_by_now_is_no_server()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "Only Linux tells them apart.");
        await _server.StartAsync(TestContext.Current.CancellationToken);
        var lines = await File.ReadAllLinesAsync(PidFile, TestContext.Current.CancellationToken);
        await _server.StopAsync();
        await File.WriteAllLinesAsync(PidFile, [Environment.ProcessId.ToString(), .. lines[1..]], TestContext.Current.CancellationToken);

        _server = NewServer();
        await _server.StartAsync(TestContext.Current.CancellationToken);

        await ExecuteAsync("select 1");
    }

    private LocalPostgres NewServer() => new(_folder, NullLogger.Instance);

    private async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(_server.ConnectionString);
        await connection.OpenAsync();
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync();
    }
}
