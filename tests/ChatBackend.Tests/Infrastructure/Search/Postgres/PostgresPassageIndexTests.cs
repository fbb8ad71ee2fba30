using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Postgres;
using ChatBackend.Tests.Infrastructure.Database;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Search.Postgres;

/// <summary>Only PostgreSQL's index. Each test uses its own words and paths, because the database is shared.</summary>
public sealed class PostgresPassageIndexTests(SearchDatabase database) : IClassFixture<SearchDatabase>
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task Doing_it_twice_changes_nothing()
    {
        await PutAsync("twice/a.md", "the numbat naps");
        var before = await database.ScalarAsync<string>("select d.updated_at::text || t.version || d.id from documents d join document_terms t on t.document_id = d.id where path = 'twice/a.md'");
        await PutAsync("twice/a.md", "the numbat naps");

        Assert.Equal(before, await database.ScalarAsync<string>("select d.updated_at::text || t.version || d.id from documents d join document_terms t on t.document_id = d.id where path = 'twice/a.md'"));
    }

    [Fact]
    public async Task A_replacement_or_a_removal_whose_reply_was_lost_is_done_once()
    {
        await using var relay = new DatabaseRelay(database.ConnectionString);
        await using var connections = NpgsqlDataSource.Create(relay.ConnectionString);
        var index = new PostgresPassageIndex(connections);
        var document = new IndexedDocument("lost/a.md", "T", "/docs/lost/a", "1", [new(0, ["H"], "h", "the bilby digs")]);

        relay.LoseAnswerTo("insert into documents");
        await index.ReplaceAsync(document, None);

        Assert.Single(await FindAsync("bilby"));
        Assert.True(await database.ScalarAsync<bool>("select created_at = updated_at from documents where path = 'lost/a.md'"));

        relay.LoseAnswerTo("delete from documents");
        await index.RemoveAsync([document.Path], None);

        Assert.Empty(await FindAsync("bilby"));
        Assert.Equal(2, relay.Lost);
    }

    [Fact]
    public async Task Searches_at_once_take_turns_but_not_for_ever()
    {
        await PutAsync("turns/a.md", "the dibbler dashes");

        // Connections stay open, so these are the most that there were.
        Assert.InRange(await SearchAtOnceAsync("patient", TimeSpan.FromMinutes(5), untilWaiting: PostgresPassageIndex.MostAtOnce), 1, PostgresPassageIndex.MostAtOnce);
        // The second half goes on without a turn.
        Assert.Equal(2 * PostgresPassageIndex.MostAtOnce, await SearchAtOnceAsync("impatient", TimeSpan.FromMilliseconds(1), untilWaiting: 2 * PostgresPassageIndex.MostAtOnce));

        async Task<long> SearchAtOnceAsync(string name, TimeSpan patience, long untilWaiting)
        {
            await using var connections = NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(database.ConnectionString) { ApplicationName = name }.ConnectionString);
            using var index = new PostgresPassageIndex(connections) { Patience = patience };
            Assert.Single(await index.SearchAsync(new("dibbler"), None));
            await using var other = await database.Connections.OpenConnectionAsync(None);
            await using var transaction = await other.BeginTransactionAsync(None);
            await using (var locking = new NpgsqlCommand("lock table passages in access exclusive mode", other, transaction))
                await locking.ExecuteNonQueryAsync(None);

            var searches = Enumerable.Range(0, 2 * PostgresPassageIndex.MostAtOnce).Select(_ => index.SearchAsync(new("dibbler"), None)).ToArray();
            await Until.TrueAsync(async () => await CountAsync("and wait_event_type = 'Lock'") >= untilWaiting, "The searches did not come to the lock.");
            await transaction.RollbackAsync(None);

            Assert.All(await Task.WhenAll(searches), found => Assert.Single(found));
            return await CountAsync("");

            Task<long> CountAsync(string more) =>
                database.ScalarAsync<long>($"select count(*) from pg_stat_activity where datname = current_database() and application_name = '{name}' {more}");
        }
    }

    [Fact]
    public async Task A_replacement_that_fails_leaves_the_old_passages()
    {
        await PutAsync("atomic/a.md", "the quoll hunts");
        // Two chunks in one position violate a constraint in the middle of the batch.
        var broken = new IndexedDocument("atomic/a.md", "T", "/docs/atomic/a", "other", [new(0, [], null, "first"), new(0, [], null, "second")]);

        await Assert.ThrowsAsync<PostgresException>(() => database.Index.ReplaceAsync(broken, None));

        Assert.Single(await FindAsync("quoll"));
        Assert.NotEqual("other", await database.ScalarAsync<string>("select content_hash from documents where path = 'atomic/a.md'"));
    }

    [Fact]
    public async Task Documents_are_listed_with_their_hashes_and_stale_ones_with_none()
    {
        await PutAsync("list/fresh.md", "a markhor");
        await PutAsync("list/stale.md", "a second markhor");
        await database.ScalarAsync<int>("update documents set analyzer_version = 0 where path = 'list/stale.md'");

        var documents = await database.Index.GetDocumentsAsync(None);

        Assert.Equal("a markhor", documents["list/fresh.md"]);
        Assert.Equal("", documents["list/stale.md"]);
    }

    [Fact]
    public async Task Characters_that_PostgreSQL_refuses_are_replaced()
    {
        var chunk = new Chunk(0, ["He\0ading\u001F"], "an\0chor", "a wombat\0 with \uD800 half");
        await database.Index.ReplaceAsync(new("dirty/a\0.md", "Ti\uDC00tle", "/docs/\0", "1", [chunk]), None);

        var found = Assert.Single(await FindAsync("wombat"));
        Assert.Equal("a wombat\uFFFD with \uFFFD half", found.Text);
        Assert.Equal(2, found.HeadingPath.Length);
    }

    [Fact]
    public async Task Replacing_leaves_no_term_of_the_old_passages()
    {
        await PutAsync("replace/a.md", "the okapi stands", "another okapi");
        await PutAsync("replace/a.md", "the tapir stands");

        Assert.False(await database.ScalarAsync<bool>(
            "select position('okapi'::bytea in t.terms) > 0 from document_terms t join documents d on d.id = t.document_id where path = 'replace/a.md'"));
        Assert.Equal(1, await database.ScalarAsync<int>("select passage_count from documents where path = 'replace/a.md'"));
    }

    private Task PutAsync(string path, params string[] texts) => database.Index.ReplaceAsync(
        new(path, "Title", "/docs/" + path.Replace(".md", ""), string.Join('|', texts), [.. texts.Select((t, i) => new Chunk(i, [], null, t))]), None);

    private Task<IReadOnlyList<Passage>> FindAsync(string question) => SearchAsync(new(question));

    private Task<IReadOnlyList<Passage>> SearchAsync(PassageQuery query) => database.Index.SearchAsync(query, None);
}
