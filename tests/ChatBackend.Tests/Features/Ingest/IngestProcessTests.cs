using System.Net;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Tests.Infrastructure.Database;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace ChatBackend.Tests.Features.Ingest;

/// <summary>The built program when the database fails the command <c>ingest</c>, or the sample book at start.</summary>
public sealed class IngestProcessTests : IAsyncLifetime
{
    private string _database = "";

    public async ValueTask InitializeAsync() => _database = await PostgresServer.CreateDatabaseAsync();

    public async ValueTask DisposeAsync() => await PostgresServer.DropDatabaseAsync(_database);

    [Theory]
    [InlineData("Host=127.0.0.1;Port=1;Username=u;Password=hunter2;Database=d")]
    [InlineData("Host=nowhere.invalid;Username=u;Password=hunter2;Database=d")]
    public async Task A_command_without_a_database_says_so_and_exits_with_1(string database)
    {
        await using var ingest = Start(database, "off", "ingest", Path.Combine(Repository.Root, "sample-book"));

        Assert.Equal(1, await ingest.WaitForExitAsync());
        Assert.Contains("The database cannot be used: ", ingest.Output);
        Assert.DoesNotContain("   at ", ingest.Output);
        Assert.DoesNotContain("hunter2", ingest.Output);
    }

    [Fact]
    public async Task A_long_line_in_a_pipe_is_not_folded()
    {
        var folder = "/" + string.Join(' ', Enumerable.Repeat("nowhere", 30));
        await using var ingest = Start(_database, "off", "ingest", folder);

        Assert.Equal(1, await ingest.WaitForExitAsync());
        Assert.Contains($"There is no folder {folder}.", ingest.Output);
    }

    [Fact]
    public async Task A_command_waits_until_the_database_is_available_again()
    {
        await MigrateAsync();
        await using var relay = new DatabaseRelay(_database);
        await using var locked = new NpgsqlConnection(_database);
        await locked.OpenAsync(TestContext.Current.CancellationToken);
        // The job has begun when it waits for this lock.
        await using var transaction = await locked.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await locked.ExecuteAsync("lock table documents in access exclusive mode");
        await using var ingest = Start(relay.ConnectionString, "off", "ingest", Path.Combine(Repository.Root, "sample-book"));
        await Until.TrueAsync(
            async () => await locked.ExecuteScalarAsync<bool>("select exists (select from pg_locks where not granted and relation = 'documents'::regclass)"),
            "The job does not begin.");

        relay.Refuse();
        // More often than a statement is tried again by itself.
        await Until.TrueAsync(() => relay.Refused >= 12, "The command does not try again.");
        await transaction.RollbackAsync(TestContext.Current.CancellationToken);
        relay.Allow();

        Assert.Equal(0, await ingest.WaitForExitAsync());
        Assert.Contains("0 failed", ingest.Output);
    }

    [Fact]
    public async Task A_sample_book_that_the_database_refuses_stops_nothing()
    {
        await MigrateAsync();
        await ExecuteAsync("alter table passages rename to elsewhere");
        await using var service = Start(_database, "on");

        await service.WaitUntilAliveAsync();
        await Until.TrueAsync(() => service.Output.Contains("Could not ingest the sample book"), "Nothing is logged.");

        using var ready = await service.Client.GetAsync("/health/ready");
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await service.Client.GetAsync("/audits")).StatusCode);
    }

    [Fact]
    public async Task A_sample_book_waits_for_a_database_that_takes_writes()
    {
        await MigrateAsync();
        await SetReadOnlyAsync("on");
        await using var service = Start(_database, "on");
        await Until.TrueAsync(() => service.Output.Contains("Could not ingest the sample book yet"), "Nothing is logged.");

        await SetReadOnlyAsync("off");

        await service.WaitUntilReadyAsync();
        Assert.Contains("ros2", await service.Client.GetStringAsync("/search?q=nodes"));
    }

    private async Task MigrateAsync() => await new Migrator(NullLogger<Migrator>.Instance).UpAsync(new(_database), null, TestContext.Current.CancellationToken);

    private Task SetReadOnlyAsync(string value) =>
        ExecuteAsync($"alter database {new NpgsqlConnectionStringBuilder(_database).Database} set default_transaction_read_only = {value}");

    private async Task ExecuteAsync(string sql)
    {
        await using var connection = new NpgsqlConnection($"{_database};Pooling=false;Options=-c default_transaction_read_only=off");
        await connection.OpenAsync();
        await connection.ExecuteAsync(sql);
    }

    private static ServiceProcess Start(string database, string sampleBook, params string[] arguments) => ServiceProcess.Start(new()
    {
        ["ASPNETCORE_ENVIRONMENT"] = "Production",
        ["AI_PROVIDER"] = "offline",
        ["DATABASE_URL"] = database,
        ["SAMPLE_BOOK"] = sampleBook,
    }, arguments);
}
