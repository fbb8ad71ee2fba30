using System.Net;
using System.Net.Http.Json;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Tests.Features.Chat;
using ChatBackend.Tests.Features.Ingest;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Database;

/// <summary>The service behind a transaction pooler, which keeps no session state between transactions.</summary>
public sealed class PgBouncerTests : IAsyncLifetime
{
    private const string Question = "How do two ROS 2 nodes talk to each other?";

    private string _database = "";
    private PgBouncer _bouncer = null!;

    public async ValueTask InitializeAsync()
    {
        PgBouncer.SkipWhereThereIsNone();
        _database = await PostgresServer.CreateDatabaseAsync();
        _bouncer = await PgBouncer.StartAsync(_database, serverConnections: 4);
    }

    public async ValueTask DisposeAsync()
    {
        if (_bouncer is null)
            return;
        await _bouncer.DisposeAsync();
        await PostgresServer.DropDatabaseAsync(_database);
    }

    [Fact]
    public async Task Ten_replicas_that_start_at_once_run_each_script_once()
    {
        var migrator = new Migrator(NullLogger<Migrator>.Instance);
        var applied = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => Task.Run(() =>
            migrator.UpAsync(new(_bouncer.ConnectionString), null, TestContext.Current.CancellationToken))));

        var names = Migrator.Scripts.Select(s => s.Name).ToArray();
        Assert.Equal(names, applied.SelectMany(a => a).Order(StringComparer.Ordinal));
        await using var connection = new NpgsqlConnection(_database);
        Assert.Equal(names, await connection.QueryAsync<string>("select scriptname from schemaversions order by schemaversionsid"));
        Assert.Equal(0, await connection.ExecuteScalarAsync<int>(
            "select count(*) from pg_locks where locktype = 'advisory' and database = (select oid from pg_database where datname = current_database())"));
    }

    [Fact]
    public async Task Large_statements_of_many_sessions_arrive_whole()
    {
        // Each is larger than the pooler's buffer: a reset before it would set its server free halfway.
        var text = new string('x', 100_000);
        await using var database = NpgsqlDataSource.Create(DatabaseUrl.Parse(_bouncer.ConnectionString).ConnectionString);

        var lengths = await Task.WhenAll(Enumerable.Range(0, 60).Select(async _ =>
        {
            await using var connection = await database.OpenConnectionAsync(TestContext.Current.CancellationToken);
            return await connection.ExecuteScalarAsync<int>("select length(@text)", new { text });
        }));

        Assert.All(lengths, length => Assert.Equal(text.Length, length));
    }

    [Fact]
    public async Task Chat_streams_audits_and_ingest_work_through_a_transaction_pooler()
    {
        await using var app = new ChatApp { ["DATABASE_URL"] = _bouncer.ConnectionString };
        await app.InitializeAsync();

        // More requests at once than server connections, three times, so that clients share connections.
        for (var round = 0; round < 3; round++)
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 12).Select(_ => app.AnswerAsync(new { message = Question })));
            Assert.All(answers, a => Assert.Equal("The stub's answer.", a.GetProperty("response").GetString()));

            var streams = await Task.WhenAll(Enumerable.Range(0, 6).Select(async _ =>
            {
                using var response = await app.AskAsync(new { message = Question }, accept: "text/event-stream");
                using var stream = new EventStream(response);
                return await stream.AllAsync();
            }));
            Assert.All(streams, s => Assert.Equal("completed", s[^1].Name));

            var audits = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => app.Client.PostAsJsonAsync("/audits", new { title = $"Audit {i}", details = new { i } })));
            Assert.All(audits, a => Assert.Equal(HttpStatusCode.Created, a.StatusCode));
            Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/audits?q=Audit&sort=-title")).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/search?q=topics")).StatusCode);
        }

        var summary = await app.IngestAsync(Path.Combine(Repository.Root, "sample-book"), prune: true);
        Assert.Empty(summary.Failed);
        Assert.True(summary.Passages > 0);
    }
}
