using ChatBackend.Infrastructure.Search;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Search;

/// <summary>Each test uses words and paths of its own, so the shared database does not mix them.</summary>
public sealed class PostgresPassageIndexTests(SearchDatabase database) : IClassFixture<SearchDatabase>
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Fact]
    public async Task A_rare_word_outweighs_a_common_one_that_is_there_twice()
    {
        await PutAsync("rank/a.md", "common walrus common walrus and other things here", "a walrus with a gyroscope and other things there", "walrus again elsewhere", "walrus once more aside");

        var found = await FindAsync("walrus gyroscope");

        Assert.Equal(4, found.Count);
        Assert.Contains("gyroscope", found[0].Text);
        Assert.True(found[0].Score > found[1].Score);
        Assert.Equal(1, found[0].Coverage, 6);
        Assert.InRange(found[1].Coverage, 0.01, 0.6);
    }

    [Fact]
    public async Task Words_that_the_book_lacks_lower_the_coverage()
    {
        await PutAsync("coverage/a.md", "a pangolin digs");

        Assert.InRange((await FindAsync("pangolin zzyzzx")).Single().Coverage, 0.01, 0.6);
    }

    [Fact]
    public async Task Headings_are_found_and_come_back_with_the_title_first()
    {
        var chunk = new Chunk(0, ["Outer", "Inner armadillo"], "inner", "Nothing of the sort.");
        await database.Index.ReplaceAsync(new("heading/a.md", "Page", "/docs/heading/a", "1", [chunk]), None);

        var found = (await FindAsync("armadillo")).Single();

        Assert.Equal(["Page", "Outer", "Inner armadillo"], found.HeadingPath);
        Assert.Equal("Inner armadillo", found.Heading);
        Assert.Equal("/docs/heading/a#inner", found.Url);
        Assert.Equal(PassageId.Of("heading/a.md", chunk), found.Id);
        Assert.Equal(found.Text, (await database.Index.GetAsync([found.Id, Guid.NewGuid()], None)).Single().Text);
    }

    [Fact]
    public async Task Replacing_leaves_nothing_of_the_old_passages()
    {
        await PutAsync("replace/a.md", "the okapi stands", "another okapi");
        await PutAsync("replace/a.md", "the tapir stands");

        Assert.Empty(await FindAsync("okapi"));
        Assert.Single(await FindAsync("tapir"));
        Assert.Equal(0, await database.ScalarAsync<int>("select count(*) from passage_terms where term = 'okapi'"));
        Assert.Equal(1, await database.ScalarAsync<int>("select passage_count from documents where path = 'replace/a.md'"));
    }

    [Fact]
    public async Task Doing_it_twice_changes_nothing()
    {
        await PutAsync("twice/a.md", "the numbat naps");
        var before = await database.ScalarAsync<string>("select d.updated_at::text || p.number || d.id from documents d join passages p on p.document_id = d.id where path = 'twice/a.md'");
        await PutAsync("twice/a.md", "the numbat naps");

        Assert.Equal(before, await database.ScalarAsync<string>("select d.updated_at::text || p.number || d.id from documents d join passages p on p.document_id = d.id where path = 'twice/a.md'"));
    }

    [Fact]
    public async Task A_replacement_that_fails_leaves_the_old_passages()
    {
        await PutAsync("atomic/a.md", "the quoll hunts");
        // Two chunks in one position break a constraint half way through.
        var broken = new IndexedDocument("atomic/a.md", "T", "/docs/atomic/a", "other", [new(0, [], null, "first"), new(0, [], null, "second")]);

        await Assert.ThrowsAsync<PostgresException>(() => database.Index.ReplaceAsync(broken, None));

        Assert.Single(await FindAsync("quoll"));
        Assert.NotEqual("other", await database.ScalarAsync<string>("select content_hash from documents where path = 'atomic/a.md'"));
    }

    [Fact]
    public async Task A_search_sees_the_old_set_or_the_new_while_documents_are_replaced()
    {
        string[] words = ["one", "two", "three", "four"];
        Task PutSetAsync(int set) => PutAsync("whole/a.md", [.. words.Select(w => $"bilby set{set} {w} {w}{set} {w}text")]);
        await PutSetAsync(0);
        var writing = Task.Run(async () =>
        {
            for (var set = 1; set <= 30; set++)
                await Task.WhenAll(PutSetAsync(set), PutSetAsync(set + 100));
        });

        do
        {
            var found = await FindAsync("bilby");
            Assert.Equal(4, found.Count);
            Assert.Single(found.Select(p => p.Text.Split(' ')[1]).Distinct());
        }
        while (!writing.IsCompleted);
        await writing;
    }

    [Fact]
    public async Task Removed_documents_are_gone_and_unknown_paths_ignored()
    {
        await PutAsync("remove/a.md", "a dugong swims");
        await PutAsync("remove/b.md", "a dugong sleeps");

        await database.Index.RemoveAsync(["remove/a.md", "remove/unknown.md", "\0"], None);

        Assert.Equal("remove/b.md", (await FindAsync("dugong")).Single().DocumentPath);
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
    public async Task Near_duplicates_come_once()
    {
        const string Steps = "Install the axolotl package first, then source the workspace and build it with colcon before you launch anything on the robot";
        await PutAsync("duplicates/a.md", Steps + ".");
        await PutAsync("duplicates/b.md", "**" + Steps + "!**", "An axolotl of another kind, in quite different words.");

        Assert.Equal(2, (await FindAsync("axolotl package")).Count);
    }

    [Fact]
    public async Task The_readers_page_decides_between_equals_and_not_more()
    {
        await PutAsync("page/a.md", "the fossa climbs up trees quickly", "unrelated filler sentence");
        await PutAsync("page/b.md", "the fossa climbs down trees slowly", "a fossa eats lemurs of the forest");

        foreach (var page in (string[])["/docs/page/b", "https://book.example/base/docs/page/b/?x=1#there"])
            Assert.Equal("page/b.md", (await SearchAsync(new("fossa climbs") { PageUrl = page }))[0].DocumentPath);
        Assert.Equal("page/a.md", (await SearchAsync(new("fossa climbs") { PageUrl = "/docs/page/a" }))[0].DocumentPath);
        Assert.Contains("lemurs", (await SearchAsync(new("fossa eats lemurs") { PageUrl = "/docs/page/a" }))[0].Text);
    }

    [Fact]
    public async Task Passages_that_hold_the_selection_come_first_then_their_neighbours()
    {
        await PutAsync("selection/a.md",
            "Before it stands something else entirely.", "The **center of pressure** must stay inside the support polygon at all times.",
            "After it comes the next matter.", "Far away is nothing of interest.");
        await PutAsync("selection/b.md", "A kiwi question is answered here, kiwi and kiwi.");

        var found = await SearchAsync(new("what does kiwi mean") { SelectedText = "center of pressure must stay inside the support polygon" });

        Assert.Equal(["selection/a.md 1", "selection/a.md 0", "selection/a.md 2", "selection/b.md 0"], found.Select(p => $"{p.DocumentPath} {p.Position}"));
        Assert.Equal([true, false, false, false], found.Select(p => p.HoldsSelection));
    }

    [Fact]
    public async Task A_selection_across_two_passages_is_held_by_both()
    {
        const string One = "Proprioceptive encoders measure joint angles while inertial units estimate torso orientation, velocity, gravity and acceleration";
        const string Two = "Exteroceptive cameras observe terrain ahead whereas lidar scanners map obstacles, corridors, doorways, staircases and moving pedestrians";
        await PutAsync("across/a.md", One + ".", Two + ".", "Something about emus.");

        var found = await SearchAsync(new("explain this") { SelectedText = One + " " + Two });

        Assert.Equal([0, 1], found.Where(p => p.HoldsSelection).Select(p => p.Position).Order());
    }

    [Fact]
    public async Task A_selection_that_the_book_does_not_hold_changes_nothing()
    {
        await PutAsync("absent/a.md", "The echidna walks on four legs.");

        var found = await SearchAsync(new("echidna") { SelectedText = "quarterly revenue of some company rose sharply again" });

        Assert.False(Assert.Single(found).HoldsSelection);
    }

    [Fact]
    public async Task Urdu_and_Hindi_questions_find_their_passages()
    {
        await PutAsync("languages/a.md", "انسان نما روبوٹ اپنا توازن سینسرز کی مدد سے برقرار رکھتا ہے۔", "मानवरूपी रोबोट अपना संतुलन सेंसरों से बनाए रखता है।");

        Assert.Equal(0, (await FindAsync("سینسر کیا کرتے ہیں"))[0].Position);
        Assert.Equal(1, (await FindAsync("सेंसर क्या करते हैं"))[0].Position);
    }

    [Theory]
    [InlineData("")]
    [InlineData("   ")]
    [InlineData("?!…")]
    [InlineData("\0\uD800")]
    [InlineData("the of and")]
    public async Task A_question_without_words_of_the_book_finds_nothing(string question) => Assert.Empty(await FindAsync(question));

    [Fact]
    public async Task Text_that_PostgreSQL_refuses_is_stored_without_the_harm()
    {
        var chunk = new Chunk(0, ["He\0ading\u001F"], "an\0chor", "a wombat\0 with \uD800 half");
        await database.Index.ReplaceAsync(new("dirty/a\0.md", "Ti\uDC00tle", "/docs/\0", "1", [chunk]), None);

        var found = Assert.Single(await FindAsync("wombat"));
        Assert.Equal("a wombat\uFFFD with \uFFFD half", found.Text);
        Assert.Equal(2, found.HeadingPath.Count);
    }

    private Task PutAsync(string path, params string[] texts) => database.Index.ReplaceAsync(
        new(path, "Title", "/docs/" + path.Replace(".md", ""), string.Join('|', texts), [.. texts.Select((t, i) => new Chunk(i, [], null, t))]), None);

    private Task<IReadOnlyList<Passage>> FindAsync(string question) => SearchAsync(new(question));

    private Task<IReadOnlyList<Passage>> SearchAsync(PassageQuery query) => database.Index.SearchAsync(query, None);
}
