using ChatBackend.Infrastructure.Search;
using ChatBackend.Tests.Infrastructure.Search.Qdrant;

namespace ChatBackend.Tests.Infrastructure.Search;

/// <summary>Both indexes; Qdrant searches by words only. Each test uses its own words and paths, because the index is shared.</summary>
public sealed class PassageIndexTests(SearchDatabase database, SearchQdrant qdrant) : IClassFixture<SearchDatabase>, IClassFixture<SearchQdrant>
{
    private static readonly CancellationToken None = CancellationToken.None;

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task A_rare_word_outweighs_a_common_one_that_is_there_twice(string index)
    {
        await PutAsync(index, "rank/a.md", "common walrus common walrus and other things here", "a walrus with a gyroscope and other things there", "walrus again elsewhere", "walrus once more aside");

        var found = await FindAsync(index, "walrus gyroscope");

        Assert.Equal(4, found.Count);
        Assert.Contains("gyroscope", found[0].Text);
        Assert.True(found[0].Score > found[1].Score);
        // The question counts as half a word longer.
        Assert.InRange(found[0].Coverage, 0.7, 0.85);
        Assert.InRange(found[1].Coverage, 0.01, 0.65);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task Words_that_the_book_lacks_lower_the_coverage(string index)
    {
        await PutAsync(index, "coverage/a.md", "a pangolin digs");

        Assert.InRange((await FindAsync(index, "pangolin zzyzzx")).Single().Coverage, 0.01, 0.6);
    }

    [Theory]
    [InlineData("the bettong digs beneath a lighthouse")]
    [InlineData("كيف يحفر النمباط تحت المنارات؟")]
    [InlineData("袋食蚁兽在灯塔下如何挖洞？")]
    public async Task Both_indexes_give_the_same_coverage(string question)
    {
        string[] passages = ["a bettong digs", "a bettong beneath the stars", "يحفر النمباط تحت المنارة", "ينام النمباط", "袋食蚁兽挖洞", "灯塔下"];
        await PutAsync("postgres", "same/a.md", passages);
        await PutAsync("qdrant", "same/a.md", passages);

        var (one, other) = (await CoverAsync("postgres"), await CoverAsync("qdrant"));

        Assert.InRange(one.Values.Max(), 0.3, 0.99);
        Assert.Equal(one.Keys.Order(), other.Keys.Order());
        Assert.All(one, passage => Assert.Equal(passage.Value, other[passage.Key], 0.02));

        async Task<Dictionary<int, double>> CoverAsync(string index) =>
            (await FindAsync(index, question)).Where(p => p.DocumentPath == "same/a.md").ToDictionary(p => p.Position, p => p.Coverage);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task Headings_are_found_and_come_back_with_the_title_first(string index)
    {
        var chunk = new Chunk(0, ["Outer", "Inner armadillo"], "inner", "Nothing of the sort.");
        await Of(index).ReplaceAsync(new("heading/a.md", "Page", "/docs/heading/a", "1", [chunk]), None);

        var found = (await FindAsync(index, "armadillo")).Single();

        Assert.Equal(["Page", "Outer", "Inner armadillo"], found.HeadingPath);
        Assert.Equal("Inner armadillo", found.Heading);
        Assert.Equal("/docs/heading/a#inner", found.Url);
        Assert.Equal(PassageId.Of("heading/a.md", chunk), found.Id);
        Assert.Equal(found.Text, (await Of(index).GetAsync([found.Id, Guid.NewGuid()], None)).Single().Text);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task The_length_of_other_passages_does_not_change_a_score(string index)
    {
        await PutAsync(index, "length/a.md", "a quoll eats termites");
        await PutAsync(index, "length/b.md", "short");
        var beside = (await FindAsync(index, "quoll")).Single().Score;

        await PutAsync(index, "length/b.md", string.Join(' ', Enumerable.Range(0, 5_000).Select(i => $"word{i}")));

        Assert.Equal(beside, (await FindAsync(index, "quoll")).Single().Score, 6);
        await Of(index).RemoveAsync(["length/b.md"], None);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task A_page_without_a_title_has_an_empty_heading(string index)
    {
        await Of(index).ReplaceAsync(new("untitled/a.md", "", "/docs/untitled/a", "1", [new(0, [], null, "A lone takahe.")]), None);

        Assert.Equal("", (await FindAsync(index, "takahe")).Single().Heading);
    }

    [Theory]
    [InlineData("postgres", "quokka")]
    [InlineData("postgres", "qoukka")]
    [InlineData("postgres", "quoka")]
    [InlineData("postgres", "quokkas")]
    [InlineData("postgres", "quokkka")]
    [InlineData("postgres", "quolka")]
    [InlineData("qdrant", "quokka")]
    [InlineData("qdrant", "qoukka")]
    [InlineData("qdrant", "quoka")]
    [InlineData("qdrant", "quokkka")]
    [InlineData("qdrant", "quolka")]
    public async Task A_word_with_one_typing_error_finds_the_word_of_the_book(string index, string typed)
    {
        await PutAsync(index, "typo/a.md", "the quokka smiles", "another page of smiles");

        var right = await FindAsync(index, "Does a quokka smile?");
        var found = await FindAsync(index, $"Does a {typed} smile?");

        Assert.Equal(right[0].Id, found[0].Id);
        Assert.InRange(found[0].Coverage, 0.7 * right[0].Coverage, right[0].Coverage);
        Assert.InRange(found[0].Score, 0.7 * right[0].Score, right[0].Score);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task Each_of_two_mistyped_words_is_read_as_a_word_of_the_book(string index)
    {
        // The rarer word fills the list of best passages.
        await PutAsync(index, "typos/rare.md", [.. Enumerable.Range(0, 13).Select(i => $"numbat {i}a {i}b {i}c")]);
        await PutAsync(index, "typos/frequent.md", [.. Enumerable.Range(0, 15).Select(i => $"wombat {i}d {i}e {i}f")]);

        var found = await SearchAsync(index, new("numbta wombta", 40));

        Assert.Contains(found, passage => passage.DocumentPath == "typos/rare.md");
        Assert.Contains(found, passage => passage.DocumentPath == "typos/frequent.md");
        await Of(index).RemoveAsync(["typos/rare.md", "typos/frequent.md"], None);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task A_word_that_the_book_has_is_not_read_as_another(string index)
    {
        await PutAsync(index, "near/a.md", "the marten climbs");
        await PutAsync(index, "near/b.md", "the martin flies");

        Assert.Equal("near/a.md", (await FindAsync(index, "marten")).Single().DocumentPath);
        Assert.Equal("near/b.md", (await FindAsync(index, "martin")).Single().DocumentPath);
    }

    [Theory]
    [InlineData("postgres", "zrolia")]
    [InlineData("postgres", "orilla")]
    [InlineData("postgres", "ROS 3")]
    [InlineData("postgres", "boat")]
    [InlineData("postgres", "zorilla_pair")]
    [InlineData("qdrant", "ROS 3")]
    [InlineData("qdrant", "boat")]
    public async Task Two_errors_another_first_letter_short_words_numbers_and_identifiers_are_not_corrected(string index, string typed)
    {
        await PutAsync(index, "typo/b.md", "zorila ROS2 boar zorila_pear");

        var found = await FindAsync(index, typed);

        Assert.All(found, passage => Assert.InRange(passage.Coverage, 0, 0.7));
        await Of(index).RemoveAsync(["typo/b.md"], None);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task Replacing_leaves_nothing_of_the_old_passages(string index)
    {
        await PutAsync(index, "replace/a.md", "the okapi stands", "another okapi");
        await PutAsync(index, "replace/a.md", "the tapir stands");

        Assert.Empty(await FindAsync(index, "okapi"));
        Assert.Single(await FindAsync(index, "tapir"));
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task A_search_sees_the_old_set_or_the_new_while_documents_are_replaced(string index)
    {
        string[] words = ["one", "two", "three", "four"];
        Task PutSetAsync(int set) => PutAsync(index, "whole/a.md", [.. words.Select(w => $"bilby set{set} {w} {w}{set} {w}text")]);
        await PutSetAsync(0);
        var writing = Task.Run(async () =>
        {
            for (var set = 1; set <= 30; set++)
                await Task.WhenAll(PutSetAsync(set), PutSetAsync(set + 100));
        });

        do
        {
            var found = await FindAsync(index, "bilby");
            Assert.Equal(4, found.Count);
            Assert.Single(found.Select(p => p.Text.Split(' ')[1]).Distinct());
        }
        while (!writing.IsCompleted);
        await writing;
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task Removed_documents_are_gone_and_unknown_paths_ignored(string index)
    {
        await PutAsync(index, "remove/a.md", "a dugong swims");
        await PutAsync(index, "remove/b.md", "a dugong sleeps");

        await Of(index).RemoveAsync(["remove/a.md", "remove/unknown.md", "\0"], None);

        Assert.Equal("remove/b.md", (await FindAsync(index, "dugong")).Single().DocumentPath);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task Near_duplicates_come_once(string index)
    {
        const string Steps = "Install the axolotl package first, then source the workspace and build it with colcon before you launch anything on the robot";
        await PutAsync(index, "duplicates/a.md", Steps + ".");
        await PutAsync(index, "duplicates/b.md", "**" + Steps + "!**", "An axolotl of another kind, in quite different words.");

        Assert.Equal(2, (await FindAsync(index, "axolotl package")).Count);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task Many_near_duplicates_leave_room_for_others(string index)
    {
        for (var copy = 0; copy < 12; copy++)
            await PutAsync(index, $"copies/{copy}.md", "Install the numbat kit first, then source the workspace and build it with colcon before you launch anything.");
        await PutAsync(index, "copies/other.md", "A numbat of another kind, in quite different words.", "What numbats eat is told at length elsewhere, far from any kit.");

        Assert.Equal(3, (await FindAsync(index, "numbat kit")).Count);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task A_translation_that_ranks_low_comes_first_for_a_question_in_its_language(string index)
    {
        for (var page = 0; page < 10; page++)
            await PutAsync(index, $"quokka/{page}.md", $"quokka quokka{page} quokka");
        await PutAsync(index, "i18n/de/quokka.md", "Beuteltiere leben auf Inseln weit im Westen, Quokka gehören dazu, sie fressen Blätter, Gräser, Rinde, sie schlafen tagsüber, sie klettern nachts.");

        Assert.StartsWith("i18n/de/", (await FindAsync(index, "Was ist das quokka und wie ist es?"))[0].DocumentPath);
        Assert.StartsWith("quokka/", (await FindAsync(index, "What is the quokka?"))[0].DocumentPath);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task The_readers_page_decides_between_equals_and_not_more(string index)
    {
        await PutAsync(index, "page/a.md", "the fossa climbs up trees quickly", "unrelated filler sentence");
        await PutAsync(index, "page/b.md", "the fossa climbs down trees slowly", "a fossa eats lemurs of the forest");

        foreach (var page in (string[])["/docs/page/b", "https://book.example/base/docs/page/b/?x=1#there"])
            Assert.Equal("page/b.md", (await SearchAsync(index, new("fossa climbs") { PageUrl = page }))[0].DocumentPath);
        Assert.Equal("page/a.md", (await SearchAsync(index, new("fossa climbs") { PageUrl = "/docs/page/a" }))[0].DocumentPath);
        Assert.Contains("lemurs", (await SearchAsync(index, new("fossa eats lemurs") { PageUrl = "/docs/page/a" }))[0].Text);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task Passages_that_hold_the_selection_come_first_then_their_neighbours(string index)
    {
        await PutAsync(index, "selection/a.md",
            "Before it stands something else entirely.", "The **center of pressure** must stay inside the support polygon at all times.",
            "After it comes the next matter.", "Far away is nothing of interest.");
        await PutAsync(index, "selection/b.md", "A kiwi question is answered here, kiwi and kiwi.");

        var found = await SearchAsync(index, new("what does kiwi mean") { SelectedText = "center of pressure must stay inside the support polygon" });

        Assert.Equal(["selection/a.md 1", "selection/a.md 0", "selection/a.md 2", "selection/b.md 0"], found.Select(p => $"{p.DocumentPath} {p.Position}"));
        Assert.Equal([true, false, false, false], found.Select(p => p.HoldsSelection));
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task A_selection_across_two_passages_is_held_by_both(string index)
    {
        const string One = "Proprioceptive encoders measure joint angles while inertial units estimate torso orientation, velocity, gravity and acceleration";
        const string Two = "Exteroceptive cameras observe terrain ahead whereas lidar scanners map obstacles, corridors, doorways, staircases and moving pedestrians";
        await PutAsync(index, "across/a.md", One + ".", Two + ".", "Something about emus.");

        var found = await SearchAsync(index, new("explain this") { SelectedText = One + " " + Two });

        Assert.Equal([0, 1], found.Where(p => p.HoldsSelection).Select(p => p.Position).Order());
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task A_selection_that_the_book_does_not_hold_changes_nothing(string index)
    {
        await PutAsync(index, "absent/a.md", "The echidna walks on four legs.");

        var found = await SearchAsync(index, new("echidna") { SelectedText = "quarterly revenue of some company rose sharply again" });

        Assert.False(Assert.Single(found).HoldsSelection);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task Urdu_and_Hindi_questions_find_their_passages(string index)
    {
        await PutAsync(index, "languages/a.md", "انسان نما روبوٹ اپنا توازن سینسرز کی مدد سے برقرار رکھتا ہے۔", "मानवरूपी रोबोट अपना संतुलन सेंसरों से बनाए रखता है।");

        Assert.Equal(0, (await FindAsync(index, "سینسر کیا کرتے ہیں"))[0].Position);
        Assert.Equal(1, (await FindAsync(index, "सेंसर क्या करते हैं"))[0].Position);
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task An_outline_is_replaced_and_removed_with_its_document(string index)
    {
        Task PutAsync(string path, string hash, DocumentOutline outline) =>
            Of(index).ReplaceAsync(new(path, $"Title {hash}", "/docs/outline", hash, []) { Outline = outline }, None);
        async Task<OutlinedDocument[]> OutlineAsync() => [.. (await Of(index).GetOutlineAsync(None)).Where(d => d.Path.StartsWith("outline/", StringComparison.Ordinal))];
        var whole = new DocumentOutline { Position = 2.5, Label = "Label", Description = "Description", PageId = "", Headings = ["One", "دو \"2\""], Opening = "Opening." };
        await PutAsync("outline/a.md", "1", whole);
        await PutAsync("outline/_category_.json", "1", new());

        var stored = (await OutlineAsync()).Single(d => d.Path == "outline/a.md");
        Assert.Equal(("Title 1", "/docs/outline"), (stored.Title, stored.Url));
        Assert.Equivalent(whole, stored.Outline, strict: true);

        await PutAsync("outline/a.md", "2", new() { Label = "Other" });
        Assert.Equal("Title 2 Other", (await OutlineAsync()).Where(d => d.Path == "outline/a.md").Select(d => $"{d.Title} {d.Outline.Label}").Single());

        await Of(index).RemoveAsync(["outline/a.md"], None);
        Assert.Equal(["outline/_category_.json"], (await OutlineAsync()).Select(d => d.Path));
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task The_first_passages_of_pages_are_in_order_and_of_the_current_version(string index)
    {
        await PutAsync(index, "first/b.md", "b0", "b1", "b2");
        await PutAsync(index, "first/a.md", "old", "old", "old", "old");
        await PutAsync(index, "first/a.md", "a0", "a1", "a2");
        await PutAsync(index, "first/c.md", "c0");

        var found = await Of(index).GetFirstAsync(["first/b.md", "first/a.md", "first/unknown.md"], 2, None);

        Assert.Equal(["a0", "a1", "b0", "b1"], found.Select(p => p.Text));
        Assert.Equal("/docs/first/a", found[0].Url);
        Assert.Empty(await Of(index).GetFirstAsync([], 2, None));
    }

    [Theory]
    [InlineData("postgres")]
    [InlineData("qdrant")]
    public async Task What_an_outline_says_is_not_searched_and_changes_no_score(string index)
    {
        await PutAsync(index, "ordinary/a.md", "a quokka smiles at the camera", "another quokka eats leaves");
        var before = await FindAsync(index, "quokka smiles");

        await Of(index).ReplaceAsync(
            new("ordinary/_category_.json", "Quokka", "", "1", []) { Outline = new() { Label = "Quokka smiles", Description = "quokka smiles", Headings = ["quokka"], Opening = "quokka" } }, None);
        await Of(index).ReplaceAsync(
            new("ordinary/b.md", "Quokka", "/docs/ordinary/b", "1", []) { Outline = new() { Description = "quokka smiles" } }, None);

        Assert.Equal(before.Select(p => (p.Id, p.Score, p.Coverage)), (await FindAsync(index, "quokka smiles")).Select(p => (p.Id, p.Score, p.Coverage)));
    }

    [Theory]
    [InlineData("postgres", "")]
    [InlineData("qdrant", "")]
    [InlineData("postgres", "   ")]
    [InlineData("qdrant", "   ")]
    [InlineData("postgres", "?!…")]
    [InlineData("qdrant", "?!…")]
    [InlineData("postgres", "\0\uD800")]
    [InlineData("qdrant", "\0\uD800")]
    [InlineData("postgres", "the of and")]
    [InlineData("qdrant", "the of and")]
    public async Task A_question_without_words_of_the_book_finds_nothing(string index, string question) => Assert.Empty(await FindAsync(index, question));

    private IPassageIndex Of(string index) => index == "qdrant" ? qdrant.Index : database.Index;

    private Task PutAsync(string index, string path, params string[] texts) => Of(index).ReplaceAsync(
        new(path, "Title", "/docs/" + path.Replace(".md", ""), string.Join('|', texts), [.. texts.Select((t, i) => new Chunk(i, [], null, t))]), None);

    private Task<IReadOnlyList<Passage>> FindAsync(string index, string question) => SearchAsync(index, new(question));

    private Task<IReadOnlyList<Passage>> SearchAsync(string index, PassageQuery query) => Of(index).SearchAsync(query, None);
}
