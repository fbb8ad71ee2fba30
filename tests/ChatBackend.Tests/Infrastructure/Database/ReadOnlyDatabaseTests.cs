using System.Net;
using System.Net.Http.Json;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Tests.Features.Chat;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Database;

/// <summary>After a failover, a server may answer but accept no writes for a while.</summary>
public sealed class ReadOnlyDatabaseTests : IAsyncLifetime
{
    private const string Question = "How do two ROS 2 nodes talk to each other?";

    private string _database = "";

    public async ValueTask InitializeAsync() => _database = await PostgresServer.CreateDatabaseAsync();

    public async ValueTask DisposeAsync() => await PostgresServer.DropDatabaseAsync(_database);

    [Fact]
    public async Task Writes_are_503_while_the_database_is_read_only_and_reads_work()
    {
        await using var app = await StartChatAsync();
        await SetReadOnlyAsync(true);

        using var write = await app.Client.PostAsJsonAsync("/audits", new { title = "Audit" });
        await write.ProblemAsync(503, "database_unavailable");
        Assert.True(write.Headers.RetryAfter?.Delta > TimeSpan.Zero);
        using var turn = await app.AskAsync(new { message = Question });
        await turn.ProblemAsync(503, "database_unavailable");
        Assert.True(turn.Headers.RetryAfter?.Delta > TimeSpan.Zero);
        using var stream = await app.AskAsync(new { message = Question }, accept: "text/event-stream");
        await stream.ProblemAsync(503, "database_unavailable");
        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/audits")).StatusCode);
        await Until.TrueAsync(async () => await DetailAsync(app) == "waiting for the database to take writes", "Readiness does not say why.");

        // Sessions that began read-only stay read-only, so the service must open new ones.
        await SetReadOnlyAsync(false, andDisconnect: false);

        Assert.Equal(HttpStatusCode.Created, (await app.Client.PostAsJsonAsync("/audits", new { title = "Audit" })).StatusCode);
        await app.AnswerAsync(new { message = Question });
        await Until.TrueAsync(async () => await DetailAsync(app) == "migrated", "Readiness does not come back.");
    }

    [Fact]
    public async Task A_finished_answer_waits_until_the_database_accepts_writes()
    {
        await using var app = await StartChatAsync();
        var gate = app.Model.AnswerInTwo("Over ", "topics [1].");
        var asking = app.AskAsync(new { message = Question });
        await gate.WhenReached;
        await SetReadOnlyAsync(true);
        var before = await RollbacksAsync();
        gate.Open();
        // A single statement is retried at most three times, so more rollbacks show that the whole work is repeated.
        await Until.TrueAsync(async () => await RollbacksAsync() > before + 5, "The answer is not stored again and again.");
        await SetReadOnlyAsync(false, andDisconnect: false);

        var answer = await (await asking).JsonAsync();

        Assert.Equal("Over topics [1].", answer.GetProperty("response").GetString());
        Assert.Single(app.Model.Requests);
    }

    [Fact]
    public async Task A_statement_that_the_servers_time_limit_ends_is_503()
    {
        await using var app = new ChatBackendApp { ["DATABASE_URL"] = $"{_database};Options=-c statement_timeout=500" };
        await app.InitializeAsync();
        _ = app.Client;
        await using var other = new NpgsqlConnection(_database);
        await other.OpenAsync();
        await using var transaction = await other.BeginTransactionAsync();
        await other.ExecuteAsync("lock table audit in access exclusive mode");

        using var response = await app.Client.GetAsync("/audits");

        await response.ProblemAsync(503, "database_unavailable");
        Assert.True(response.Headers.RetryAfter?.Delta > TimeSpan.Zero);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_service_that_starts_on_a_standby_is_ready_after_the_promotion(bool isMigrated)
    {
        if (isMigrated)
            await new Migrator(NullLogger<Migrator>.Instance).UpAsync(new(_database), null, TestContext.Current.CancellationToken);
        await SetReadOnlyAsync(true);
        await using var app = new ChatBackendApp { WaitsUntilStarted = false, ["DATABASE_URL"] = _database };
        await app.InitializeAsync();
        await Until.TrueAsync(async () => await DetailAsync(app) == "waiting for the database to take writes", "Readiness does not say why.");

        await SetReadOnlyAsync(false, andDisconnect: false);

        await Until.TrueAsync(async () => (await app.Client.GetAsync("/health/ready")).StatusCode == HttpStatusCode.OK, "It does not become ready.");
        Assert.Equal(HttpStatusCode.Created, (await app.Client.PostAsJsonAsync("/audits", new { title = "Audit" })).StatusCode);
    }

    [Fact]
    public async Task Migrations_are_tried_again_also_when_the_exception_is_not_Npgsqls()
    {
        // With a single host, Npgsql rejects this setting with a NotSupportedException.
        var settings = new NpgsqlConnectionStringBuilder(_database) { TargetSessionAttributes = "primary" };
        var time = new CountedTime();
        using var start = new DatabaseStart(new(NullLogger<Migrator>.Instance), settings, time, NullLogger<DatabaseStart>.Instance);
        await start.StartAsync(TestContext.Current.CancellationToken);
        await Until.TrueAsync(() => time.Timers > 1, "It does not try again.");
        Assert.False(start.IsMigrated);

        settings.TargetSessionAttributes = null;

        await start.WaitAsync(TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        await start.StopAsync(CancellationToken.None);
    }

    private async Task<ChatApp> StartChatAsync()
    {
        var app = new ChatApp { ["DATABASE_URL"] = _database };
        await app.InitializeAsync();
        return app;
    }

    /// <summary>Makes new sessions read-only or writable. A failover also ends the existing sessions.</summary>
    private async Task SetReadOnlyAsync(bool isReadOnly, bool andDisconnect = true)
    {
        // This session can write, whatever the database's default is.
        await using var connection = new NpgsqlConnection($"{_database};Pooling=false;Options=-c default_transaction_read_only=off");
        await connection.OpenAsync();
        await connection.ExecuteAsync($"alter database {connection.Database} set default_transaction_read_only = {(isReadOnly ? "on" : "off")}");
        if (andDisconnect)
            await connection.ExecuteAsync("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");
    }

    private async Task<long> RollbacksAsync()
    {
        await using var connection = new NpgsqlConnection($"{_database};Pooling=false");
        return await connection.ExecuteScalarAsync<long>("select xact_rollback from pg_stat_database where datname = current_database()");
    }

    private static async Task<string?> DetailAsync(ChatBackendApp app)
    {
        using var response = await app.Client.GetAsync("/health/ready");
        return (await response.JsonAsync()).GetProperty("dependencies").GetProperty("database").GetProperty("detail").GetString();
    }

    /// <summary>The system's time. Counts the timers, one per wait.</summary>
    private sealed class CountedTime : TimeProvider
    {
        private int _timers;

        public int Timers => Volatile.Read(ref _timers);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Interlocked.Increment(ref _timers);
            return base.CreateTimer(callback, state, dueTime, period);
        }
    }
}
