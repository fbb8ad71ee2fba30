using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Memory;
using ChatBackend.Infrastructure.Search.Postgres;
using ChatBackend.Tests.Infrastructure.Database;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Search.Postgres;

/// <summary>Several processes on one database, each with the terms in its own memory.</summary>
public sealed class LoadedBookTests(SearchDatabase database) : IClassFixture<SearchDatabase>
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_process_that_missed_ten_ingests_reads_their_changes_at_once()
    {
        using var writer = new PostgresPassageIndex(database.Connections);
        using var idle = new PostgresPassageIndex(database.Connections);
        for (var page = 0; page < 8; page++)
            await PutAsync(writer, $"missed/{page}.md", $"the gerenuk{page} stands", $"gerenuk in version0 of {page}");
        Assert.Equal(16, (await FindAsync(idle, "stands version0", 40)).Count(p => p.DocumentPath.StartsWith("missed/", StringComparison.Ordinal)));
        var before = idle.Book.Index.Version.Number;

        for (var ingest = 1; ingest <= 10; ingest++)
        {
            await PutAsync(writer, $"missed/{ingest % 4}.md", $"the gerenuk{ingest % 4} stands", $"gerenuk in version{ingest} of {ingest % 4}");
            await PutAsync(writer, $"missed/new{ingest}.md", $"a fresh gerenuk of ingest {ingest}");
            await writer.RemoveAsync([$"missed/new{ingest - 3}.md", ingest == 5 ? "missed/7.md" : "missed/none.md"], None);
        }

        // The first search notices the version, and finds what a process finds that has just started.
        using var started = new PostgresPassageIndex(database.Connections);
        foreach (var question in (string[])["gerenuk", "gerenuk7 stands", "version0", "version9", "fresh gerenuk of ingest 10", "ingest 6"])
            Assert.Equal(
                (await FindAsync(started, question, 40)).Select(p => (p.Id, p.Score, p.Coverage, p.Text)),
                (await FindAsync(idle, question, 40)).Select(p => (p.Id, p.Score, p.Coverage, p.Text)));
        Assert.DoesNotContain(await FindAsync(idle, "gerenuk7"), p => p.DocumentPath == "missed/7.md");
        Assert.True(idle.Book.Index.Version.Number >= before + 27, $"{before} {idle.Book.Index.Version.Number}");
        Assert.Equal(started.Book.Index.PassageCount, idle.Book.Index.PassageCount);
    }

    [Fact]
    public async Task Readers_on_two_processes_see_a_page_as_it_was_or_as_it_is_while_it_is_replaced_and_removed()
    {
        using var one = new PostgresPassageIndex(database.Connections);
        using var two = new PostgresPassageIndex(database.Connections);
        string[] words = ["one", "two", "three", "four"];
        Task PutSetAsync(PostgresPassageIndex index, int set) =>
            PutAsync(index, "half/a.md", [.. words.Select(w => $"addax set{set} {w} {w}{set} {w}text")]);
        await PutSetAsync(one, 0);
        var writing = Task.Run(async () =>
        {
            for (var set = 1; set <= 60; set++)
            {
                await PutSetAsync(set % 2 == 0 ? one : two, set);
                await PutAsync(one, "half/other.md", $"another page {set}");
                if (set % 10 == 0)
                    await two.RemoveAsync(["half/a.md"], None);
            }
        });

        var (whole, none) = (0, 0);
        await Task.WhenAll(((PostgresPassageIndex[])[one, one, two, two]).Select(async index =>
        {
            do
            {
                var found = (await FindAsync(index, "addax", 20)).Where(p => p.DocumentPath == "half/a.md").ToArray();
                Assert.Contains(found.Length, (int[])[0, 4]);
                Assert.InRange(found.Select(p => p.Text.Split(' ')[1]).Distinct().Count(), 0, 1);
                _ = found.Length == 0 ? Interlocked.Increment(ref none) : Interlocked.Increment(ref whole);
            }
            while (!writing.IsCompleted);
        }));
        await writing;

        Assert.True(whole > 0, $"{whole} {none}");
        Assert.DoesNotContain(await FindAsync(one, "addax", 20), p => p.DocumentPath == "half/a.md");
    }

    [Theory]
    // The first load, and the refresh after a change.
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_refresh_whose_connection_breaks_is_made_again(bool isLoaded)
    {
        await using var relay = new DatabaseRelay(database.ConnectionString);
        await using var connections = NpgsqlDataSource.Create(relay.ConnectionString);
        using var index = new PostgresPassageIndex(connections);
        await PutAsync(database.Index, "broken/a.md", "a hirola grazes");
        if (isLoaded)
            Assert.Single(await FindAsync(index, "hirola"));
        await PutAsync(database.Index, "broken/b.md", "another hirola runs");

        relay.LoseAnswerTo("from document_terms t");

        Assert.Equal(2, (await FindAsync(index, "hirola")).Count);
        Assert.Equal(1, relay.Lost);
        await database.Index.RemoveAsync(["broken/a.md", "broken/b.md"], None);
    }

    [Fact]
    public async Task Documents_that_were_deleted_by_hand_are_no_longer_found()
    {
        await PutAsync(database.Index, "hand/a.md", "a saola hides");
        await PutAsync(database.Index, "hand/b.md", "another saola waits");
        Assert.Equal(2, (await FindAsync(database.Index, "saola")).Count);

        await database.ScalarAsync<int>("delete from documents where path = 'hand/a.md'");

        Assert.Equal("hand/b.md", (await FindAsync(database.Index, "saola")).Single().DocumentPath);
    }

    [Fact]
    public async Task A_database_that_was_restored_from_a_backup_is_read_again()
    {
        var restored = new SearchDatabase();
        await restored.InitializeAsync();
        try
        {
            for (var page = 0; page < 5; page++)
                await PutAsync(restored.Index, $"backup/{page}.md", $"a takin on page{page}");
            Assert.Equal(5, (await FindAsync(restored.Index, "takin")).Count);

            // As it was after the second page.
            await restored.ScalarAsync<int>("delete from documents where path > 'backup/1.md'; update index_version set version = 2");

            Assert.Equal(2, (await FindAsync(restored.Index, "takin")).Count);
            Assert.Equal(2, restored.Index.Book.Index.Version.Number);
        }
        finally
        {
            await restored.DisposeAsync();
        }
    }

    [Theory]
    // The lost versions are reached again, or passed, before anybody searches.
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(200)]
    public async Task A_failover_that_loses_commits_is_noticed_although_there_are_as_many_new_ones(int commits)
    {
        var failing = new SearchDatabase();
        await failing.InitializeAsync();
        try
        {
            string[] tables = ["documents", "passages", "document_terms", "index_version"];
            for (var page = 0; page < 3; page++)
                await PutAsync(failing.Index, $"lost/{page}.md", $"a kouprey on page{page}");
            await failing.ScalarAsync<int>("create schema standby; " + string.Concat(tables.Select(t => $"create table standby.{t} as table {t}; ")));
            await failing.Index.RemoveAsync(["lost/0.md"], None);
            await PutAsync(failing.Index, "lost/1.md", "a banteng instead");
            Assert.Equal(["lost/1.md"], (await FindAsync(failing.Index, "banteng")).Select(p => p.DocumentPath));
            var lost = failing.Index.Book.Index.Version.Number;

            await failing.ScalarAsync<int>(
                "begin; delete from documents; delete from index_version; " + string.Concat(tables.Select(t => $"insert into {t} table standby.{t}; ")) + "commit");
            var author = failing.Another();
            for (var commit = 0; commit < commits; commit++)
                await PutAsync(author, "lost/3.md", $"a takin of commit{commit}");

            Assert.Equal(["lost/0.md", "lost/1.md", "lost/2.md"], (await FindAsync(failing.Index, "kouprey")).Select(p => p.DocumentPath).Order());
            Assert.Empty(await FindAsync(failing.Index, "banteng"));
            Assert.Equal(lost - 2 + commits, failing.Index.Book.Index.Version.Number);
        }
        finally
        {
            await failing.DisposeAsync();
        }
    }

    [Fact]
    public async Task A_passage_that_stays_missing_costs_itself_and_one_reading_of_the_book()
    {
        var damaged = new SearchDatabase();
        await damaged.InitializeAsync();
        try
        {
            await PutAsync(damaged.Index, "damaged/a.md", "a saiga runs", "another saiga rests");
            await PutAsync(damaged.Index, "damaged/b.md", "no saiga at all");
            Assert.Equal(3, (await FindAsync(damaged.Index, "saiga")).Count);
            await damaged.ScalarAsync<int>("delete from passages where text = 'a saiga runs'");

            Assert.Equal(["another saiga rests", "no saiga at all"], (await FindAsync(damaged.Index, "saiga")).Select(p => p.Text).Order());

            var read = damaged.Index.Book.Index;
            Assert.Equal(2, (await FindAsync(damaged.Index, "saiga runs")).Count);
            Assert.Same(read, damaged.Index.Book.Index);
            // The next version is read as every other, and may have mended it.
            await PutAsync(damaged.Index, "damaged/a.md", "a saiga runs", "another saiga sleeps");
            Assert.Equal(3, (await FindAsync(damaged.Index, "saiga")).Count);
        }
        finally
        {
            await damaged.DisposeAsync();
        }
    }

    [Fact]
    public async Task Terms_that_a_later_version_of_the_service_has_packed_make_the_process_unready_until_it_can_read_the_book_again()
    {
        await using var app = new ChatBackendApp();
        await app.InitializeAsync();
        _ = app.Client;
        var index = app.Services.GetRequiredService<PostgresPassageIndex>();
        await PutAsync(index, "later/a.md", "a serow climbs");
        Assert.Contains("climbs", await app.Client.GetStringAsync("/search?q=serow", None));

        await PackAsync(PackedTerms.Format + 1);

        await (await app.Client.GetAsync("/search?q=serow", None)).ProblemAsync(503, "search_unavailable");
        await Until.TrueAsync(async () => await IndexAsync(app) is (503, "a later version of the service has indexed the book"), "The process is ready.");
        // One that starts now, after the deployment was rolled back.
        await using var started = new ChatBackendApp { ["DATABASE_URL"] = app.Database };
        await started.InitializeAsync();
        await Until.TrueAsync(async () => await IndexAsync(started) is (503, "a later version of the service has indexed the book"), "The process that started is ready.");
        await (await started.Client.GetAsync("/search?q=serow", None)).ProblemAsync(503, "search_unavailable");

        // Nobody searches here: no traffic comes to a process that is not ready.
        await PackAsync(PackedTerms.Format);
        foreach (var one in (ChatBackendApp[])[app, started])
        {
            await Until.TrueAsync(async () => await IndexAsync(one) is (200, "1 passages"), "The process is not ready.");
            Assert.Contains("climbs", await one.Client.GetStringAsync("/search?q=serow", None));
        }

        Task PackAsync(int format) => app.ExecuteAsync(
            $"with next as ({LoadedBook.NextVersion} returning version) update document_terms set terms = set_byte(terms, 0, {format}), version = next.version from next");

        static async Task<(int Status, string? Detail)> IndexAsync(ChatBackendApp app)
        {
            using var answer = await app.Client.GetAsync("/health/ready", None);
            return ((int)answer.StatusCode, (await answer.JsonAsync()).GetProperty("dependencies").GetProperty("index").GetProperty("detail").GetString());
        }
    }

    [Fact]
    public async Task The_service_is_not_ready_and_questions_get_503_until_the_terms_are_loaded()
    {
        await PutAsync(database.Index, "ready/a.md", "a markhor climbs");
        await using var holder = await database.Connections.OpenConnectionAsync(None);
        await using var holding = await holder.BeginTransactionAsync(None);
        await new NpgsqlCommand("lock table document_terms", holder).ExecuteNonQueryAsync(None);
        await using var service = ServiceProcess.Start(new() { ["ASPNETCORE_ENVIRONMENT"] = "Production", ["DATABASE_URL"] = database.ConnectionString, ["SAMPLE_BOOK"] = "off", ["AI_PROVIDER"] = "offline" });
        await service.WaitUntilAliveAsync();
        await Until.TrueAsync(async () => (await ReadyAsync()).Contains("\"migrated\"", StringComparison.Ordinal), "The service does not start.");

        Assert.Contains("\"index\":{\"status\":\"unhealthy\",\"detail\":\"loading\"", await ReadyAsync());
        Assert.Equal(503, (int)(await service.Client.GetAsync("/health/ready", None)).StatusCode);
        // A search that finds nobody loading tries itself, and then it is the database that does not answer.
        await Until.TrueAsync(
            async () =>
            {
                using var refused = await service.Client.GetAsync("/search?q=markhor", None);
                Assert.Equal(503, (int)refused.StatusCode);
                Assert.NotNull(refused.Headers.RetryAfter);
                return (await refused.JsonAsync()).GetProperty("code").GetString() == "search_unavailable";
            },
            "No search got search_unavailable.");

        await holding.RollbackAsync(None);
        await service.WaitUntilReadyAsync();
        Assert.Contains("climbs", await service.Client.GetStringAsync("/search?q=markhor", None));

        async Task<string> ReadyAsync() => await (await service.Client.GetAsync("/health/ready", None)).Content.ReadAsStringAsync(None);
    }

    private static Task PutAsync(PostgresPassageIndex index, string path, params string[] texts) => index.ReplaceAsync(
        new(path, "Title", "/docs/" + path.Replace(".md", ""), string.Join('|', texts), [.. texts.Select((t, i) => new Chunk(i, [], null, t))]), None);

    private static Task<IReadOnlyList<Passage>> FindAsync(PostgresPassageIndex index, string question, int limit = 6) => index.SearchAsync(new(question, limit), None);
}
