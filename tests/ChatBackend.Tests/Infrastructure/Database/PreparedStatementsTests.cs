using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Health;
using ChatBackend.Infrastructure.Limits;
using ChatBackend.Tests.Features.Chat;
using Dapper;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Database;

/// <summary>Statements are planned once where the way to PostgreSQL carries that, and the service goes without where it does not.</summary>
public sealed class PreparedStatementsTests : IAsyncLifetime
{
    private const string Sql = "select @a + 1";

    private string _database = "";

    public async ValueTask InitializeAsync() => _database = await PostgresServer.CreateDatabaseAsync();

    public async ValueTask DisposeAsync() => await PostgresServer.DropDatabaseAsync(_database);

    [Fact]
    public async Task A_statement_that_runs_often_is_prepared()
    {
        await using var service = await Begun.OnAsync(_database);

        Assert.True(service.Statements.AreUsed);
        Assert.True(await service.PreparedAfterTwentyRunsAsync() > 0);
    }

    [Fact]
    public async Task An_owner_can_turn_it_off()
    {
        await using var service = await Begun.OnAsync($"{_database};Max Auto Prepare=0");

        Assert.False(service.Statements.AreUsed);
        Assert.Equal(0, await service.PreparedAfterTwentyRunsAsync());
    }

    [Fact]
    public async Task A_table_that_a_migration_changes_is_read_with_its_new_columns()
    {
        await using var service = await Begun.OnAsync(_database);
        await service.RunAsync("create table example (value integer)");
        await service.RunAsync("insert into example values (1)");
        for (var i = 0; i < 20; i++)
            Assert.Equal("1", await service.RunAsync("select value from example"));

        await service.RunAsync("alter table example alter column value type text using 'now a text'");

        Assert.Equal("now a text", await service.RunAsync("select value from example"));
        Assert.True(service.Statements.AreUsed);
    }

    [Fact]
    public async Task Statements_that_the_server_has_dropped_are_sent_again_and_prepared_no_more()
    {
        await using var service = await Begun.OnAsync(_database);
        for (var i = 0; i < 20; i++)
            await service.RunAsync("select 'kept'");

        await service.RunAsync("deallocate all");

        Assert.Equal("kept", await service.RunAsync("select 'kept'"));
        Assert.False(service.Statements.AreUsed);
    }

    [Theory]
    [InlineData("beat")]
    [InlineData("hand on")]
    [InlineData("tokens")]
    public async Task Statements_that_are_not_retried_are_sent_again_when_they_were_lost(string kind)
    {
        await new Migrator(NullLogger<Migrator>.Instance).UpAsync(new(_database), null, TestContext.Current.CancellationToken);
        await using var service = await Begun.OnAsync(_database);
        var budget = new TokenBudget(service.Database, Options.Create(new BudgetOptions()), TimeProvider.System, NullLogger<TokenBudget>.Instance);
        for (var i = 0; i < 20; i++)
            await RunAsync();
        await service.RunAsync("deallocate all");

        await RunAsync();

        Assert.False(service.Statements.AreUsed);
        Assert.Equal(kind == "tokens" ? 21 : 0, await service.Database.RetryAsync(
            connection => connection.ExecuteScalarAsync<long>("select coalesce(sum(tokens), 0)::bigint from token_usage where client = ''"), TestContext.Current.CancellationToken));

        Task RunAsync() => kind switch
        {
            "beat" => TurnLeases.RenewAsync(service.Database, Guid.NewGuid(), TimeSpan.FromSeconds(15), [], TestContext.Current.CancellationToken),
            "hand on" => TurnLeases.ReleaseAsync(service.Database, Guid.NewGuid(), TestContext.Current.CancellationToken),
            _ => budget.CountAsync(new("2026-11-22", "a client"), 1),
        };
    }

    [Fact]
    public async Task Readiness_does_not_suffer_from_a_statement_that_was_lost()
    {
        // One connection, so that the statement is lost where it was prepared.
        await using var app = new ChatBackendApp { ["DATABASE_URL"] = $"{_database};Maximum Pool Size=1" };
        await app.InitializeAsync();
        _ = app.Client;
        var database = app.Services.GetServices<Dependency>().Single(d => d.Name == "database");
        for (var i = 0; i < 20; i++)
            await database.CheckAsync(TestContext.Current.CancellationToken);
        Assert.True(app.Services.GetRequiredService<PreparedStatements>().AreUsed);
        await app.Services.GetRequiredService<NpgsqlDataSource>().RetryAsync(connection => connection.ExecuteAsync("deallocate all"), TestContext.Current.CancellationToken);

        Assert.Equal("migrated", await database.CheckAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task A_pooler_that_gives_each_transaction_another_server_connection_is_noticed_at_the_start()
    {
        PgBouncer.SkipWhereThereIsNone();
        await using var bouncer = await PgBouncer.StartAsync(_database, serverConnections: 4);
        await using var service = await Begun.OnAsync(bouncer.ConnectionString);

        Assert.False(service.Statements.AreUsed);
        Assert.Equal(0, await service.PreparedAfterTwentyRunsAsync());
    }

    [Fact]
    public async Task A_pooler_that_carries_them_from_one_server_connection_to_another_is_used_with_them()
    {
        PgBouncer.SkipWhereItDoesNotCarryStatements();
        await using var bouncer = await PgBouncer.StartAsync(_database, serverConnections: 4, carriesStatements: true);
        await using var app = new ChatApp { ["DATABASE_URL"] = bouncer.ConnectionString };
        await app.InitializeAsync();
        for (var round = 0; round < 4; round++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => app.AnswerAsync(new { message = "How do two nodes talk to each other?" })));
            Assert.All(answers, a => Assert.Equal("The stub's answer.", a.GetProperty("response").GetString()));
        }

        Assert.True(app.Services.GetRequiredService<PreparedStatements>().AreUsed);
    }

    [Fact]
    public async Task A_pooler_with_one_server_connection_is_not_trusted()
    {
        PgBouncer.SkipWhereThereIsNone();
        await using var bouncer = await PgBouncer.StartAsync(_database, serverConnections: 1);
        await using var service = await Begun.OnAsync(bouncer.ConnectionString);

        Assert.False(service.Statements.AreUsed);
        Assert.Equal("2", await service.RunAsync("select 1 + 1"));
    }

    [Fact]
    public async Task A_pooler_that_keeps_a_server_connection_for_each_client_carries_them()
    {
        PgBouncer.SkipWhereThereIsNone();
        await using var bouncer = await PgBouncer.StartAsync(_database, serverConnections: 20, mode: "session");
        await using var service = await Begun.OnAsync(bouncer.ConnectionString);

        Assert.True(service.Statements.AreUsed);
        Assert.True(await service.PreparedAfterTwentyRunsAsync() > 0);
    }

    [Fact]
    public async Task A_pooler_with_few_free_connections_does_not_keep_the_service_from_starting()
    {
        PgBouncer.SkipWhereThereIsNone();
        await using var bouncer = await PgBouncer.StartAsync(_database, serverConnections: 2, mode: "session");
        await using var service = await Begun.OnAsync(bouncer.ConnectionString);

        Assert.False(service.Statements.AreUsed);
        Assert.Equal("2", await service.RunAsync("select 1 + 1"));
    }

    [Fact]
    public async Task A_pooler_that_no_longer_keeps_them_in_operation_costs_no_request()
    {
        PgBouncer.SkipWhereThereIsNone();
        await using var bouncer = await PgBouncer.StartAsync(_database, serverConnections: 20, mode: "session");
        await using var app = new ChatApp { ["DATABASE_URL"] = bouncer.ConnectionString };
        await app.InitializeAsync();
        var statements = app.Services.GetRequiredService<PreparedStatements>();
        for (var i = 0; i < 12; i++)
            await app.AnswerAsync(new { message = "How do two nodes talk to each other?" });
        Assert.True(statements.AreUsed);

        await bouncer.SetModeAsync("transaction");

        // Which server connection a statement gets is the pooler's choice: it may be the one where it is prepared.
        for (var round = 0; round < 4 || (round < 40 && statements.AreUsed); round++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => app.AnswerAsync(new { message = "How do two nodes talk to each other?" })));
            Assert.All(answers, a => Assert.Equal("The stub's answer.", a.GetProperty("response").GetString()));
        }

        Assert.False(statements.AreUsed);
    }

    [Fact]
    public async Task A_pooler_that_comes_between_in_operation_is_noticed_by_the_next_connection()
    {
        PgBouncer.SkipWhereThereIsNone();
        await using var bouncer = await PgBouncer.StartAsync(_database, serverConnections: 4);
        await using var relay = new DatabaseRelay(_database);
        await using var service = await Begun.OnAsync(relay.ConnectionString);
        Assert.True(service.Statements.AreUsed);
        Assert.Equal("1", await service.RunAsync("select 1"));

        relay.MoveTo(bouncer.ConnectionString);

        Assert.Equal("1", await service.RunAsync("select 1"));
        Assert.False(service.Statements.AreUsed);
        Assert.Equal(0, await service.PreparedAfterTwentyRunsAsync());
    }

    /// <summary>What the service has after its start.</summary>
    private sealed class Begun(NpgsqlDataSource database, PreparedStatements statements) : IAsyncDisposable
    {
        public PreparedStatements Statements => statements;

        public NpgsqlDataSource Database => database;

        public static async Task<Begun> OnAsync(string url)
        {
            var settings = DatabaseUrl.Parse(url);
            var database = NpgsqlDataSource.Create(settings);
            var begun = new Begun(database, new(database, settings, NullLoggerFactory.Instance));
            await begun.Statements.BeginAsync(TestContext.Current.CancellationToken);
            return begun;
        }

        public Task<string?> RunAsync(string sql) => database.RetryAsync(
            connection => connection.ExecuteScalarAsync<string?>(new(sql, cancellationToken: TestContext.Current.CancellationToken)), TestContext.Current.CancellationToken);

        /// <summary>By the server's own list, on the connection that ran them.</summary>
        public Task<int> PreparedAfterTwentyRunsAsync() => database.RetryAsync(
            async connection =>
            {
                for (var i = 0; i < 20; i++)
                    Assert.Equal(i + 1, await connection.ExecuteScalarAsync<int>(Sql, new { a = i }));
                return await connection.ExecuteScalarAsync<int>("select count(*) from pg_prepared_statements where statement like '%+ 1'");
            },
            TestContext.Current.CancellationToken);

        public async ValueTask DisposeAsync()
        {
            await statements.DisposeAsync();
            await database.DisposeAsync();
        }
    }
}
