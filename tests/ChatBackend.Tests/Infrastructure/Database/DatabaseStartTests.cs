using System.Net;
using System.Net.Sockets;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Database;

/// <summary>Starts the built program while its database is not ready.</summary>
public sealed class DatabaseStartTests : IAsyncLifetime
{
    private readonly TcpListener _silent = new(IPAddress.Loopback, 0);
    private string _database = "";

    public async ValueTask InitializeAsync()
    {
        // The operating system accepts connections, but nothing ever answers.
        _silent.Start();
        _database = await PostgresServer.CreateDatabaseAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _silent.Dispose();
        await PostgresServer.DropDatabaseAsync(_database);
    }

    [Fact]
    public async Task While_the_database_is_silent_it_listens_and_says_so()
    {
        await using var service = Start(Silent);
        await service.WaitUntilAliveAsync();

        await WaitsForAsync(service, "waiting for the database");
        using var early = await service.Client.GetAsync("/audits");
        Assert.Contains("waiting for the database", (await early.ProblemAsync(503, "database_unavailable")).GetProperty("detail").GetString());
        Assert.True(early.Headers.RetryAfter?.Delta > TimeSpan.Zero);
        Assert.Equal(HttpStatusCode.OK, (await service.Client.GetAsync("/openapi/v1.json")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await service.Client.GetAsync("/docs")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await service.Client.GetAsync("/nothing-here")).StatusCode);
    }

    [Fact]
    public async Task While_another_process_migrates_it_listens_and_waits_its_turn()
    {
        await using var other = await LockAsync();
        await using var service = Start(_database);
        await service.WaitUntilAliveAsync();

        await WaitsForAsync(service, "waiting for another process that migrates");
        await other.DisposeAsync();

        await service.WaitUntilReadyAsync();
        Assert.Equal(HttpStatusCode.OK, (await service.Client.GetAsync("/audits")).StatusCode);
    }

    [Theory]
    [InlineData("silent")]
    [InlineData("locked")]
    public async Task SIGTERM_while_it_waits_ends_it_with_0_and_one_line(string state)
    {
        await using var other = await LockAsync();
        await using var service = Start(state == "silent" ? Silent : _database);
        await service.WaitUntilAliveAsync();
        await WaitsForAsync(service, state == "silent" ? "waiting for the database" : "waiting for another process that migrates");
        service.Stop();

        Assert.Equal(0, await service.WaitForExitAsync());
        var lines = service.Output.Split('\n').Where(l => !l.Contains("RequestLog") && !l.Contains("cannot be migrated yet")).ToArray();
        Assert.True(lines[^1].Contains("Stopping on"), service.Output);
        Assert.Single(lines, l => l.Contains("Stopping"));
        Assert.DoesNotContain("Unhandled", service.Output);
    }

    [Fact]
    public async Task SIGTERM_before_it_listens_ends_it_with_0_and_one_line()
    {
        // The first attempt to connect is refused and logged while the server starts to listen.
        await using var service = Start("postgres://reader:hunter2@127.0.0.1:1/book");
        await Until.TrueAsync(() => service.Output.Length > 0, "It does not start.");
        service.Stop();

        Assert.Equal(0, await service.WaitForExitAsync());
        var lines = service.Output.Split('\n').Where(l => !l.Contains("cannot be migrated yet")).ToArray();
        Assert.Single(lines, l => l.Contains("Stopping on"));
        Assert.DoesNotContain(lines, l => l.Contains("Exception"));
    }

    [Fact]
    public async Task SIGTERM_ends_an_ingest_that_waits_without_a_stack_trace()
    {
        await using var other = await LockAsync();
        await using var ingest = Start(_database, "ingest", Path.Combine(Repository.Root, "sample-book"));
        await Until.TrueAsync(() => ingest.Output.Contains("waiting for another process that migrates"), "It does not say that it waits.");

        ingest.Stop();

        Assert.Equal(1, await ingest.WaitForExitAsync());
        Assert.DoesNotContain("Exception", ingest.Output);
    }

    private string Silent => $"postgres://reader:hunter2@127.0.0.1:{((IPEndPoint)_silent.LocalEndpoint).Port}/book";

    private async Task<NpgsqlConnection> LockAsync()
    {
        var connection = new NpgsqlConnection($"{_database};Pooling=false");
        await connection.OpenAsync();
        await connection.ExecuteAsync("select pg_advisory_lock(@LockKey)", new { Migrator.LockKey });
        return connection;
    }

    private static Task WaitsForAsync(ServiceProcess service, string what) => Until.TrueAsync(
        async () =>
        {
            using var response = await service.Client.GetAsync("/health/ready");
            var database = (await response.JsonAsync()).GetProperty("dependencies").GetProperty("database");
            return response.StatusCode == HttpStatusCode.ServiceUnavailable && database.GetProperty("detail").GetString() == what;
        },
        $"Readiness does not say: {what}");

    private static ServiceProcess Start(string database, params string[] arguments) => ServiceProcess.Start(new()
    {
        ["ASPNETCORE_ENVIRONMENT"] = "Production",
        ["AI_PROVIDER"] = "offline",
        ["DATABASE_URL"] = database,
    }, arguments);
}
