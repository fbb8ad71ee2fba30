using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search;
using Microsoft.Extensions.Options;

namespace ChatBackend.Tests.Infrastructure.Docusaurus;

/// <summary>The expected orders are what the docs plugin of Docusaurus 3.10.2 generates from the same files.</summary>
public sealed class SidebarTests
{
    [Fact]
    public void Positions_come_before_names_and_a_number_prefix_is_a_position() => Assert.Equal(
        ["Second", "Five", "Ten", "a", "b"],
        Labels(Page("b.md", "b"), Page("a.md", "a"), Page("10-ten.md", "Ten"), Page("05-five.md", "Five"), Page("99-second.md", "Second", "sidebar_position: 2.5")));

    [Fact]
    public void Names_are_compared_as_JavaScript_does_and_positions_as_numbers() => Assert.Equal(
        ["Minus", "Two", "Ten", "Upper", "lower"],
        Labels(Page("a.md", "lower"), Page("Z.md", "Upper"), Page("10-x.md", "Ten"), Page("2-y.md", "Two"), Page("m.md", "Minus", "sidebar_position: -1")));

    [Fact]
    public void A_file_without_parsed_prefixes_or_with_a_date_has_no_position() => Assert.Equal(
        ["Three", "One", "News"],
        Labels(Page("01-one.md", "One", "parse_number_prefixes: false"), Page("03-three.md", "Three"), Page("2021-11-news.md", "News")));

    [Theory]
    [InlineData("_category_.json", "{\n\t\"label\": \"First\",\n\t\"position\": 1.5,\n\t\"customProps\": {\"label\": \"no\", \"a\": [{\"position\": 9}]}\n}")]
    [InlineData("_category_.yml", "---\nlabel: First\nposition: 1.5\n")]
    [InlineData("_category_.yaml", "label: 'First'\nposition: \"1.5\"")]
    public void A_category_file_names_and_places_its_folder(string name, string content) => Assert.Equal(
        ["One", "First: Deep", "Two", "sub: C"],
        Labels(Page("1-one.md", "One"), Page("2-two.md", "Two"), Page("09-folder/deep.md", "Deep"), File($"09-folder/{name}", content), Page("3-sub/c.md", "C")));

    [Fact]
    public void An_index_page_opens_its_folder_and_names_it() => Assert.Equal(
        ["The arm (README: The arm)", "Hand (hand: The hand): b", "leg: Leg, leg"],
        Labels(
            Page("01-arm/README.md", "The arm"), File("01-arm/_category_.json", "{}"),
            Page("02-hand/02-hand.md", "The hand", "sidebar_label: Hand"), Page("02-hand/b.md", "b"),
            Page("3-leg/leg.md", "leg"), Page("3-leg/index.md", "Leg", "sidebar_position: 1"), File("3-leg/_category_.yml", "link: null")));

    [Fact]
    public void A_category_may_link_to_another_of_its_pages_or_to_a_generated_index()
    {
        Assert.Equal(["A (start: Begin): Index"], Labels(
            File("a/_category_.json", """{"label": "A", "link": {"type": "doc", "id": "a/start"}}"""), Page("a/index.md", "Index"), Page("a/01-begin.md", "Begin", "id: start")));
        Assert.Equal(["A: Index"], Labels(
            File("a/_category_.json", """{"label": "A", "link": {"type": "generated-index", "description": "All of it."}}"""), Page("a/index.md", "Index")));
    }

    [Fact]
    public void A_folder_with_nothing_but_its_category_file_is_not_shown() => Assert.Equal(["a"], Labels(Page("a.md", "a"), File("b/_category_.json", """{"label": "B"}""")));

    [Fact]
    public void Descriptions_headings_and_the_first_sentence_are_kept()
    {
        var page = Document("a.md", "---\ndescription: \"What\\nit \\0 is.\"\n---\n# A\n\nimport X from 'x';\n\n<X/>\n\nA *node* is [one](b.md) program. It runs.\n\n## One `two`\n\n### Below\n\n## Three").Outline;
        var category = Document("a/_category_.yml", "description: All of it.\nlink:\n  type: generated-index\n  description: Not this.").Outline;

        Assert.Equal(("What it \uFFFD is.", "A node is one program."), (page.Description, page.Opening));
        Assert.Equal(["One two", "Three"], page.Headings);
        Assert.Equal(("All of it.", ""), (category.Description, category.PageId));
    }

    [Fact]
    public void A_very_long_first_sentence_is_cut_between_words()
    {
        var opening = Document("a.md", string.Join(' ', Enumerable.Repeat("robots 🤖", 200))).Outline.Opening!;

        Assert.InRange(opening.Length, 350, 401);
        Assert.EndsWith("…", opening, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("label: [a", "line")]
    [InlineData("label: a: b", "line")]
    public void A_category_file_that_cannot_be_read_says_where(string content, string reason) =>
        Assert.Contains(reason, Assert.Throws<DocumentException>(() => Document("a/_category_.yml", content)).Message, StringComparison.Ordinal);

    [Fact]
    public void The_built_sites_order_goes_before_all_rules_and_translations_are_left_out() => Assert.Equal(
        ["Last", "sub: Deep, First"],
        Labels(
            OnSite(Page("1-first.md", "First") with { Path = "sub/1-first.md" }, 3), OnSite(Page("sub/2-deep.md", "Deep"), 2), OnSite(Page("9-last.md", "Last"), 1),
            Page("i18n/ur/9-last.md", "آخر")));

    private static IndexedDocument OnSite(IndexedDocument document, int order) => document with { Outline = document.Outline with { Order = order } };

    [Fact]
    public void A_category_file_that_is_nested_very_deeply_is_refused() =>
        Assert.Throws<DocumentException>(() => Document("a/_category_.json", new string('[', 20_000)));

    private static string[] Labels(params IndexedDocument[] documents) =>
        [.. Sidebar.Of([.. documents.Reverse().Select(d => new OutlinedDocument(d.Path, d.Title, d.Url, d.Outline))]).Select(Describe)];

    private static string Describe(SidebarItem item) =>
        item.Label
        + (item.IsFolder && item.Page is { } page ? $" ({page.Outline.PageId}: {page.Title})" : "")
        + (item.Items.Count > 0 ? $": {string.Join(", ", item.Items.Select(Describe))}" : "");

    private static IndexedDocument Page(string path, string title, string frontMatter = "") => Document(path, $"---\ntitle: {title}\n{frontMatter}\n---\nText.");

    private static IndexedDocument File(string path, string content) => Document(path, content);

    private static IndexedDocument Document(string path, string content) => new MarkdownChunker(Options.Create(new SiteOptions())).Document(path, content);
}
