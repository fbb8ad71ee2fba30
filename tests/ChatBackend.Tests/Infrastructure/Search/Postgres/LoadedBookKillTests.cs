using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Postgres;
using ChatBackend.Tests.Infrastructure.Database;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Search.Postgres;

/// <summary>Processes that replace the book's pages and read each other's changes, each killed at one point of its work.</summary>
public sealed class LoadedBookKillTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly SearchDatabase _database = new();
    private readonly VersionedBook _book = new();

    public ValueTask InitializeAsync() => _database.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        _book.Dispose();
    }

    [Fact]
    public async Task Killed_at_any_point_of_a_replacement_or_a_refresh_no_process_shows_half_a_page()
    {
        await IngestAsync(0);
        var idle = _database.Index;
        await AssertVersionsAsync(idle, 0, 0, 0, 0, 0);

        await _book.WriteAsync(1);
        await BeforeTheCommitAsync();
        await AssertVersionsAsync(idle, 0, 0, 0, 0, 0);

        await BetweenTheCommitAndItsReplyAsync();
        await AssertVersionsAsync(idle, 1, 0, 0, 0, 0);

        await InTheMiddleOfTheFirstLoadAsync();
        await AssertVersionsAsync(idle, 1, 0, 0, 0, 0);

        await InTheMiddleOfARefreshAsync();
        await AssertVersionsAsync(idle, 2, 1, 1, 1, 1);

        await IngestAsync(3);
        var started = _database.Another();
        await AssertVersionsAsync(idle, 3, 3, 3, 3, 3);
        Assert.Equal((await FindAsync(started)).Select(p => (p.Id, p.Score)), (await FindAsync(idle)).Select(p => (p.Id, p.Score)));
    }

    /// <summary>The last statement of a replacement does not reach the server.</summary>
    private async Task BeforeTheCommitAsync()
    {
        await using var relay = new DatabaseRelay(_database.ConnectionString);
        relay.Drop("insert into document_terms");
        await using var command = Ingest(relay.ConnectionString);
        await Until.TrueAsync(() => relay.Dropped > 0, "Nothing was replaced.");
        command.Kill();
        await command.WaitForExitAsync();
    }

    /// <summary>The server has the whole transaction, and ends it after its client is dead.</summary>
    private async Task BetweenTheCommitAndItsReplyAsync()
    {
        var before = await _database.ScalarAsync<long>("select version from index_version");
        await using (await HoldAsync("select from index_version for update"))
        {
            await using var command = Ingest(_database.ConnectionString);
            await WaitingAsync("insert into document_terms", command);
            command.Kill();
            await command.WaitForExitAsync();
        }

        await Until.TrueAsync(async () => await _database.ScalarAsync<long>("select version from index_version") == before + 1, "It was not committed.");
    }

    private async Task InTheMiddleOfTheFirstLoadAsync()
    {
        await using var holding = await HoldAsync("lock table document_terms");
        await using var service = ServiceProcess.Start(Settings(_database.ConnectionString));
        await WaitingAsync("case when removed > $1", service);
        service.Kill();
        await service.WaitForExitAsync();
    }

    /// <summary>The service has ended the jobs of the commands that were killed.</summary>
    private async Task InTheMiddleOfARefreshAsync()
    {
        await using var service = ServiceProcess.Start(Settings(_database.ConnectionString));
        await service.WaitUntilReadyAsync();
        await Until.TrueAsync(
            async () => await _database.ScalarAsync<bool>("select not exists (select from ingest_jobs where state in ('waiting', 'running'))"),
            () => $"Nobody ended the jobs:\n{service.Output}");
        await AssertVersionsAsync(_database.Another(), 1, 1, 1, 1, 1);
        await service.Client.GetStringAsync($"/search?q={VersionedBook.Word}", None);
        await _database.Another().ReplaceAsync(VersionedBook.Page(0, 2), None);

        await using var holding = await HoldAsync("lock table document_terms");
        var asking = service.Client.GetStringAsync($"/search?q={VersionedBook.Word}", None);
        await WaitingAsync("case when removed > $1", service);
        service.Kill();
        await service.WaitForExitAsync();
        await Assert.ThrowsAsync<HttpRequestException>(() => asking);
    }

    /// <summary>Runs a statement in a transaction that is open until the result is disposed of.</summary>
    private async Task<NpgsqlConnection> HoldAsync(string statement)
    {
        var holder = await _database.Connections.OpenConnectionAsync(None);
        await new NpgsqlCommand("begin; " + statement, holder).ExecuteNonQueryAsync(None);
        return holder;
    }

    private Task WaitingAsync(string statement, ServiceProcess process) => Until.TrueAsync(
        async () => await _database.ScalarAsync<bool>(
            $"select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and position('{statement}' in query) > 0)"),
        () => $"No process waits in its statement:\n{process.Output}");

    private static Dictionary<string, string> Settings(string database) => new()
    {
        ["ASPNETCORE_ENVIRONMENT"] = "Production",
        // A busy machine is not an outage.
        ["DATABASE_URL"] = $"{database};Timeout=60;Command Timeout=60",
        ["AI_PROVIDER"] = "offline",
        ["SAMPLE_BOOK"] = "off",
        ["Ingest__Lease"] = "00:00:01",
        ["Ingest__Beat"] = "00:00:00.200",
    };

    private ServiceProcess Ingest(string database) => ServiceProcess.Start(Settings(database), "ingest", _book.Folder, "--prune");

    private async Task IngestAsync(int version)
    {
        await _book.WriteAsync(version);
        await using var command = Ingest(_database.ConnectionString);
        Assert.True(await command.WaitForExitAsync() == 0, command.Output);
    }

    private static async Task AssertVersionsAsync(PostgresPassageIndex index, params int[] pages) =>
        Assert.Equal(pages, VersionedBook.VersionsOf((await FindAsync(index)).Select(p => p.Text)));

    private static Task<IReadOnlyList<Passage>> FindAsync(PostgresPassageIndex index) => index.SearchAsync(new(VersionedBook.Word, VersionedBook.Passages), None);
}
