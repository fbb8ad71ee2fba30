using System.Text;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search;
using FsCheck;
using FsCheck.Fluent;
using Microsoft.Extensions.Options;

namespace ChatBackend.Tests.Infrastructure.Docusaurus;

public sealed class MarkdownChunkerTests
{
    private const string Long = "This paragraph has enough words to stand on its own as a passage, which means more than one hundred characters.";

    [Fact]
    public void Passages_follow_the_headings_and_leave_them_out_of_their_text()
    {
        var document = Document($"---\ntitle: Robots\nid: start\n---\n{Long}\n\n## Nodes\n\n{Long}\n\n### Topics\n\n{Long}\n\n## End\n\n{Long}");

        Assert.Equal("Robots", document.Title);
        Assert.Equal("/docs/module/start", document.Url);
        Assert.Equal(["", "Nodes", "Nodes > Topics", "End"], document.Chunks.Select(chunk => string.Join(" > ", chunk.HeadingPath)));
        Assert.Equal([null, "nodes", "topics", "end"], document.Chunks.Select(chunk => chunk.Anchor));
        Assert.All(document.Chunks, chunk => Assert.Equal(Long, chunk.Text));
    }

    [Theory]
    [InlineData("a/01-ros_2-nodes.md", "Text", "Ros 2 nodes")]
    [InlineData("01-first-arm/index.md", "Text", "First arm")]
    [InlineData("a.md", "import X from './x';\n\n# The *big* `arm`\n\nText", "The big arm")]
    [InlineData("a.md", "---\ntitle: \"Arms: a view\"\n---\n# Other\n\nText", "Arms: a view")]
    [InlineData("a.md", "---\r\ntitle: 7\r\n---\r\nText", "7")]
    [InlineData("a.md", "---\ntitle:\n---\n# Other\n\nText", "Other")]
    public void The_title_is_the_front_matters_then_the_first_headings_then_the_files(string path, string content, string title) =>
        Assert.Equal(title, Chunker().Document(path, content).Title);

    [Theory]
    [InlineData("Arabic", "يحافظ الروبوت على توازنه بمساعدة حساسات في قدميه وفي وركه.")]
    [InlineData("Urdu", "روبوٹ اپنے پیروں میں لگے سینسروں کی مدد سے اپنا توازن برقرار رکھتا ہے۔")]
    [InlineData("Russian", "Робот сохраняет равновесие с помощью датчиков в ступнях и в тазу.")]
    public void Prose_of_another_script_is_cut_by_its_own_tokens_per_character(string language, string sentence)
    {
        var prose = string.Join(' ', Enumerable.Repeat(sentence, 100));

        Assert.All(Document(prose).Chunks.SkipLast(1), chunk => Assert.True(chunk.Text.Length is > 850 and < 1400, $"{language}: {chunk.Text.Length}"));
    }

    [Fact]
    public void A_first_heading_that_differs_from_the_title_is_kept() =>
        Assert.Equal(["Other"], Assert.Single(Document("---\ntitle: Robots\n---\n# Other\n\nText").Chunks).HeadingPath);

    [Fact]
    public void Mdx_leaves_its_words_behind()
    {
        var chunk = Assert.Single(Document("""
            import Tabs from '@theme/Tabs';
            import {
              Thing,
            } from './thing';

            export const colour = () => {
              return 'red';

            };

            {/* a note to the author */}
            <!-- and
            another -->

            <Tabs groupId="language" values={[{label: 'x > y', value: 'z'}]}>
              <TabItem value="py" label="Python" default>

                ```python title="talker.py"
                if a < b:
                    publish("<Tabs>")
                ```

              </TabItem>
              <TabItem value="C++">
                Use **rclcpp**.
              </TabItem>
            </Tabs>

            <details>
            <summary>Why?</summary>

            Press <kbd>Ctrl</kbd> when `a <b> c` and $i <j> k$, see <https://example.com>.

            </details>

            :::warning[Mind the `gap`]

            Keep away.

            :::::tip
            Nested.
            :::::

            :::

            - In a list:
              :::info Old title
              Inside.
              :::
            """).Chunks);

        Assert.Equal("""
            **Python**

            ```python title="talker.py"
            if a < b:
                publish("<Tabs>")
            ```

            **C++**

            Use **rclcpp**.

            Why?

            Press Ctrl when `a <b> c` and $i <j> k$, see <https://example.com>.

            **Mind the `gap`**

            Keep away.

            **Tip**

            Nested.

            - In a list:

              **Old title**

              Inside.
            """, chunk.Text);
    }

    [Theory]
    [InlineData("import the package before you start, then go on.")]
    [InlineData("a < b and c > d")]
    [InlineData("List<T, U> and a <- b and <3")]
    [InlineData("Text :::note inside")]
    [InlineData("{notClosed <Tabs {")]
    [InlineData("Write `<Tabs>` or \\<Tabs>")]
    [InlineData("If a <b and\n\nthen. More c > d")]
    [InlineData("<Tabs\n\nThis is a sentence. And a > b")]
    public void Text_that_only_looks_like_mdx_stays(string text) =>
        Assert.Equal(text, Assert.Single(Document(text).Chunks).Text);

    [Fact]
    public void A_code_block_a_table_and_a_formula_within_the_budget_are_whole()
    {
        var code = $"```python\n{Lines(40, index => $"value_{index} = 1  # <b>")}\n```";
        var table = $"| a | b |\n|---|---|\n{Lines(40, index => $"| {index} | <Foo/> |").Replace("<Foo/>", "x")}";
        var math = $"$$\n{Lines(20, index => $"x_{{{index}}} < y \\\\")}\n$$";
        var document = Document($"## A\n\n{Long} {Long}\n\n{code}\n\n{Long}\n\n{table}\n\n{Long}\n\n{math}\n");

        Assert.All([code, table, math], block => Assert.Single(document.Chunks, chunk => chunk.Text.Contains(block, StringComparison.Ordinal)));
    }

    [Fact]
    public void Code_over_the_budget_is_cut_by_lines_and_stays_code()
    {
        var lines = Enumerable.Range(0, 300).Select(index => $"print('line {index}')").ToList();
        var chunks = Document($"## A\n\n```python title=\"long.py\"\n{string.Join('\n', lines)}\n```").Chunks;

        Assert.True(chunks.Count > 3);
        Assert.All(chunks, chunk =>
        {
            Assert.StartsWith("```python title=\"long.py\"\n", chunk.Text);
            Assert.EndsWith("\n```", chunk.Text);
            Assert.Equal("a", chunk.Anchor);
        });
        Assert.Equal(lines, chunks.SelectMany(chunk => chunk.Text.Split('\n')[1..^1]));
    }

    [Fact]
    public void A_table_over_the_budget_repeats_its_header()
    {
        var rows = Enumerable.Range(0, 200).Select(index => $"| {index} | joint {index} |").ToList();
        var chunks = Document($"| id | name |\n|:--|---|\n{string.Join('\n', rows)}\n").Chunks;

        Assert.True(chunks.Count > 2);
        Assert.All(chunks, chunk => Assert.StartsWith("| id | name |\n|:--|---|\n", chunk.Text));
        Assert.Equal(rows, chunks.SelectMany(chunk => chunk.Text.Split('\n')[2..]));
    }

    [Fact]
    public void A_few_words_go_to_the_section_below_them_with_its_anchor()
    {
        var chunk = Assert.Single(Document($"## Nodes\n\nBriefly.\n\n### Topics\n\n{Long}").Chunks);

        Assert.Equal(["Nodes", "Topics"], chunk.HeadingPath);
        Assert.Equal("topics", chunk.Anchor);
        Assert.Equal($"Briefly.\n\n### Topics\n\n{Long}", chunk.Text);
    }

    [Fact]
    public void Small_sections_side_by_side_become_one_with_the_anchor_of_the_heading_that_it_names()
    {
        var chunks = Document($"## Terms\n\n### Joint\n\nA hinge.\n\n### Link\n\nA bone.\n\n### Frame\n\nAxes.\n\n### Pose\n\n{Long}\n\n### Empty").Chunks;

        Assert.Equal(["### Joint\n\nA hinge.\n\n### Link\n\nA bone.\n\n### Frame\n\nAxes.", Long, "Empty"], chunks.Select(chunk => chunk.Text));
        Assert.Equal(["Terms", "Terms > Pose", "Terms > Empty"], chunks.Select(chunk => string.Join(" > ", chunk.HeadingPath)));
        Assert.Equal(["terms", "pose", "empty"], chunks.Select(chunk => chunk.Anchor));
    }

    [Fact]
    public void Small_sections_directly_under_the_title_cite_the_page()
    {
        var chunk = Assert.Single(Document("# Terms\n\n## Joint\n\nA hinge.\n\n## Link\n\nA bone.").Chunks);

        Assert.Empty(chunk.HeadingPath);
        Assert.Null(chunk.Anchor);
    }

    [Fact]
    public void A_page_with_a_title_and_a_description_alone_is_one_passage()
    {
        var chunk = Assert.Single(Document("---\ntitle: Arms\ndescription: How arms move.\n---\n\nimport List from '@theme/DocCardList';\n\n<List/>\n").Chunks);

        Assert.Equal("How arms move.", chunk.Text);
        Assert.Null(chunk.Anchor);
        Assert.DoesNotContain("How arms", Assert.Single(Document("---\ndescription: How arms move.\n---\n\nText.").Chunks).Text);
    }

    [Fact]
    public void What_docusaurus_reads_differently_from_markdown_is_read_as_docusaurus_does()
    {
        var chunk = Assert.Single(Document("""
            ```mdx-code-block
            import Tabs from '@theme/Tabs';

            <Tabs>
            <TabItem label="One">

            Inside *one*.

            </TabItem>
            </Tabs>
            ```

            <head>
              <title>For robots</title>
            </head>

            <Head><meta name="robots"/></Head>

            ```js
            // highlight-next-line
            const a = 1;
            /* highlight-start */
            const b = 2; // highlight-end
              # highlight-end
            {/* highlight-next-line */}
            <!-- highlight-next-line -->
            ```

            > ```mermaid
            > graph TD; A-->B
            > ```

            Say {'hello'}{" "}{"to you"} in {1 + 1}.

            ```js {1,3-4}
            // highlight-next-line
            ```
            """).Chunks);

        Assert.Equal("""
            **One**

            Inside *one*.

            ```js
            const a = 1;
            const b = 2; // highlight-end
            ```

            >
            > **Diagram (Mermaid):**
            >
            > ```mermaid
            > graph TD; A-->B
            > ```

            Say hello to you in {1 + 1}.

            ```js {1,3-4}
            // highlight-next-line
            ```
            """, chunk.Text);
    }

    [Fact]
    public void The_hash_changes_with_the_text_and_the_address_and_is_known_without_cutting()
    {
        var document = Document("# A\n\nText");

        Assert.Equal(64, document.ContentHash.Length);
        Assert.Equal(document.ContentHash, Chunker().Inspect("01-module/page.md", "\uFEFF# A\r\n\r\nText").ContentHash);
        Assert.NotEqual(document.ContentHash, Document("# A\n\nText.").ContentHash);
        Assert.NotEqual(document.ContentHash, Chunker().Document("01-module/page.md", "# A\n\nText", url: "/elsewhere").ContentHash);
        Assert.NotEqual(document.ContentHash, Chunker().Document("01-module/page.md", "# A\n\nText", title: "B").ContentHash);
    }

    [Theory]
    [InlineData("---\ntitle: a: b\n---\nText", "not valid YAML (line ")]
    [InlineData("---\ntitle: a\n\nText", "no closing ---")]
    [InlineData("---\n- a\n---\nText", "name: value")]
    [InlineData("a\0b", "U+0000")]
    public void A_broken_document_is_refused_with_a_reason(string content, string reason) =>
        Assert.Contains(reason, Assert.Throws<DocumentException>(() => Document(content)).Message);

    [Theory]
    [InlineData("")]
    [InlineData("../a.md")]
    [InlineData("/a.md")]
    [InlineData("a//b.md")]
    public void A_path_out_of_the_book_is_refused(string path) =>
        Assert.Throws<DocumentException>(() => Chunker().Document(path, "Text"));

    [Fact]
    public void A_page_without_text_has_no_passages() =>
        Assert.All(["", "\n\n", "---\ntitle: a\n---\n", "# page", "<!-- only -->", "<Foo />"], content => Assert.Empty(Document(content).Chunks));

    [Fact]
    public void An_unclosed_fence_takes_the_rest_and_its_end_is_added_to_each_part()
    {
        var chunks = Document($"## A\n\n```\n{Lines(300, index => $"line {index} <Tabs>")}\n## Not a heading").Chunks;

        Assert.All(chunks, chunk => Assert.Equal(["A"], chunk.HeadingPath));
        Assert.Contains("## Not a heading", chunks[^1].Text);
    }

    public static TheoryData<string> Hostile() =>
        ["> ", "- ", "* a\n ", "[", "](", "*a **b ", "`` ` ", "<a ", "<a {", "<a \"", "<!-- ", "{/* ", "$a ", "$$\n", ":::note\n", "```\n", "| a ", "|a|b|\n|-|-|\n", "<Tabs>\n  ", "a\n", "import {\n\n", "# a\n", "ا", "<style>", "</details>\n", "<br>", "<a {\\`", "<a {/*", "<a b=\"", "<a {'x\\\"", "<a b\n"];

    [Theory]
    [MemberData(nameof(Hostile))]
    public void A_megabyte_of_anything_ends_soon(string pattern)
    {
        var content = new StringBuilder().Insert(0, pattern, 1_000_000 / pattern.Length).ToString();
        var clock = new ThreadTime();

        try
        {
            Assert.All(Document(content).Chunks, IsWithinBudget);
        }
        catch (DocumentException exception)
        {
            Assert.NotEmpty(exception.Message);
        }

        Assert.True(clock.Elapsed < TimeSpan.FromMinutes(1), $"took {clock.Elapsed}");
    }

    [Theory]
    [InlineData(">")]
    [InlineData("[")]
    [InlineData("- ")]
    public void Ten_thousand_levels_of_nesting_do_not_crash(string pattern)
    {
        try
        {
            Document(new StringBuilder().Insert(0, pattern, 10_000).Append('a').ToString());
            Document($"---\na: {new StringBuilder().Insert(0, "[", 10_000)}\n---\n");
        }
        catch (DocumentException exception)
        {
            Assert.Contains("nest", exception.Message);
        }
    }

    [Fact]
    public void Whatever_the_page_its_passages_are_whole()
    {
        var block = Gen.OneOf(
            Gen.Choose(1, 4).SelectMany(level => Gen.Elements("Nodes", "Topics", "Über uns", "نوڈز", "A `b`").Select(text => $"{new string('#', level)} {text}")),
            Gen.Choose(1, 60).Select(count => string.Join(' ', Enumerable.Repeat("Robots walk on legs.", count))),
            Gen.Choose(1, 60).Select(count => $"```python\n{Lines(count, index => $"x{index} = <b>")}\n```"),
            Gen.Choose(1, 30).Select(count => $"| a | b |\n|---|---|\n{Lines(count, index => $"| {index} | روبوٹ |")}"),
            Gen.Choose(1, 30).Select(count => Lines(count, index => $"- item {index}\n  - below {index}")),
            Gen.Elements("$$\na < b\n$$", ":::note[Title]\n\nText.\n\n:::", "<Tabs>\n<TabItem label=\"A\">\n\nText.\n\n</TabItem>\n</Tabs>", "> quoted", "[^1]: A footnote.\n\nText[^1]", "---"));

        Prop.ForAll(block.ListOf().ToArbitrary(), blocks =>
        {
            var content = string.Join("\n\n", blocks);
            var document = Document("Start.\n\n" + content);

            Assert.Equal(Enumerable.Range(0, document.Chunks.Count), document.Chunks.Select(chunk => chunk.Position));
            Assert.All(document.Chunks, IsWithinBudget);

            var text = string.Join('\n', document.Chunks.Select(chunk => $"{string.Join('\n', chunk.HeadingPath)}\n{chunk.Text}")) + document.Title;
            foreach (var heading in blocks.Where(one => one.StartsWith('#')))
                Assert.Contains(heading.TrimStart('#', ' ').Replace("`", ""), text);
            foreach (var code in blocks.Where(one => one.StartsWith("```", StringComparison.Ordinal) && TokenEstimate.Of(one) <= 350))
                Assert.Contains(code, text);
        }).QuickCheckThrowOnFailure();
    }

    private static void IsWithinBudget(Chunk chunk)
    {
        Assert.False(string.IsNullOrWhiteSpace(chunk.Text));
        Assert.InRange(TokenEstimate.Of(chunk.Text), 1, MarkdownChunker.MaxTokens);
    }

    private static string Lines(int count, Func<int, string> line) => string.Join('\n', Enumerable.Range(0, count).Select(line));

    private static MarkdownChunker Chunker() => new(Options.Create(new SiteOptions()));

    private static IndexedDocument Document(string content) => Chunker().Document("01-module/page.md", content);
}
