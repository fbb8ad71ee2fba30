using ChatBackend.Features.Translate.Documents;
using static ChatBackend.Tests.Features.Translate.Documents.Pseudo;

namespace ChatBackend.Tests.Features.Translate.Documents;

public sealed class TranslatableDocumentTests
{
    private const string Structure = "Written into its place, the translation changes the structure of the page: it adds or removes Markdown, such as a link, an address or emphasis.";

    [Theory]
    [InlineData("# Nodes", "## Knoten")]
    [InlineData("## Nodes {/* #nodes */}", "## Nodes {/* #knoten */}")]
    [InlineData("## Nodes {#nodes}", "## Nodes {#knoten}")]
    [InlineData("## Nodes", "## Knoten")]
    [InlineData("The node.", "Der Knoten.\n\nNoch einer.")]
    [InlineData("The `node`.", "Der `knoten`.")]
    [InlineData("The $x$ node.", "Der $y$ Knoten.")]
    [InlineData("The [node](a.md).", "Der [Knoten](b.md).")]
    [InlineData("The ![node](a.png).", "Der ![Knoten](b.png).")]
    [InlineData("The **node**.", "Der *Knoten*.")]
    [InlineData("The <b>node</b>.", "Der <i>Knoten</i>.")]
    [InlineData("The <b>node</b>.", "Der Knoten.")]
    [InlineData("The {node}.", "Der {knoten}.")]
    [InlineData("The [node].\n\n[node]: a.md", "Der [Knoten].\n\n[node]: b.md")]
    [InlineData("The node[^1].\n\n[^1]: A node.", "Der Knoten.\n\n[^1]: Ein Knoten.")]
    [InlineData("- The node\n- The other", "1. Der Knoten\n2. Der andere")]
    [InlineData("- The node\n- The other", "- Der Knoten")]
    [InlineData("> The node", "Der Knoten")]
    [InlineData("| a | b |\n|---|---|\n| c | d |", "| a | b |\n|---|--:|\n| c | d |")]
    [InlineData("| a | b |\n|---|---|\n| c | d |", "| a |\n|---|\n| c |")]
    [InlineData("```js\na\n```", "```js\nb\n```")]
    [InlineData("    a = 1", "    b = 1")]
    [InlineData("$$\nx\n$$", "$$\ny\n$$")]
    [InlineData("<Tabs>\n\nThe node.\n\n</Tabs>", "<Tab>\n\nDer Knoten.\n\n</Tab>")]
    [InlineData(":::note\nThe node.\n:::", ":::tip\nDer Knoten.\n:::")]
    [InlineData("import A from 'a'\n\nThe node.", "import A from 'b'\n\nDer Knoten.")]
    [InlineData("---\ntitle: Nodes\nslug: nodes\n---\nThe node.", "---\ntitle: Knoten\nslug: knoten\n---\nDer Knoten.")]
    public void Pages_that_differ_in_more_than_words_differ_in_structure(string page, string other) =>
        Assert.False(TranslatableDocument.Parse(page).HasStructureOf(TranslatableDocument.Parse(other)));

    [Fact]
    public void Pages_that_differ_in_words_alone_have_the_same_structure() => Assert.True(
        TranslatableDocument.Parse("# Nodes {#n}\n\n- The **node** `a` is [here](b.md).\n\n| a | b |\n|---|---|\n| c | d |")
            .HasStructureOf(TranslatableDocument.Parse("# Knoten {#n}\n\n- [Hier](b.md) ist der **Knoten** `a`.\n\n| e | f |\n|---|---|\n| g | h |")));

    public static TheoryData<string> LongPages =>
    [
        string.Concat(Enumerable.Repeat("<code>", 60_000)),
        string.Concat(Enumerable.Repeat("# [a1]\n\n", 6_000)) + string.Concat(Enumerable.Range(0, 4_000).Select(n => $"[a{n}]: b\n\n")),
    ];

    /// <summary>Each takes minutes if its parts are compared with each other, and else less than a second.</summary>
    /// <summary>Everything that a page may have, and what becomes of it where "word" is translated to "WORD".</summary>
    [Theory]
    [MemberData(nameof(LongPages))]
    public async Task The_parts_of_a_long_page_are_not_compared_with_each_other(string page) =>
        await Task.Run(() => TranslatableDocument.Parse(page), TestContext.Current.CancellationToken).WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);

    [Fact]
    public void Prose_is_translated_and_everything_else_stays()
    {
        const string Page = """
            ---
            title: "a: page"
            id: page
            description: >
              a folded
              text
            sidebar_label: a label
            keywords: [one, two]
            ---
            import Tabs from '@theme/Tabs';

            # the *first* heading

            ## run `rclpy` now

            some **bold words** and [a link](https://x.y "T"), ![an image](a.png), `code`
            over $a_b$ lines; https://example.com/a_b, me@x.org, r&amp;d, 3 \< 4.
            hard break  
            next [label] and [full][label]; foot[^1].

            > quoted
            > text

            - [ ] a task
            - an item

              ```js
              const x = 1;
              ```
              after code

            | a head | `x|y` |
            |--------|:-----:|
            | one **cell** | two \| three |

            :::tip[a *title*]
            the body
            :::

            :::note an old title {.c}
            :::

                indented code

            <Tabs>
                <TabItem label="Apple">
                    deep text

                    - in a tab
                </TabItem>
            </Tabs>

            <details><summary>a summary</summary>hidden <b>bold</b> <Icon name="x"/>.</details>

            {items.map(x => (
              <li>{x} text</li>
            ))}

            <table><tr><td>one</td><td>two <code>not this</code></td></tr></table>

            $$
            x = y
            $$

            ## with an id {#own} 

            the end {props.x}. {/* comment */}

            [label]: https://r.e/f "Title"
            [^1]: the *note*.
            """;

        Assert.Equal(
            """
            ---
            title: "A: PAGE"
            id: page
            description: "A FOLDED TEXT"
            sidebar_label: "A LABEL"
            keywords: [one, two]
            ---
            import Tabs from '@theme/Tabs';

            # THE *FIRST* HEADING

            ## RUN `rclpy` NOW {/* #run-rclpy-now */}

            SOME **BOLD WORDS** AND [A LINK](https://x.y "T"), ![AN IMAGE](a.png), `code` OVER $a_b$ LINES; https://example.com/a_b, me@x.org, R&D, 3 \< 4. HARD BREAK  
            NEXT [LABEL][label] AND [FULL][label]; FOOT[^1].

            > QUOTED TEXT

            - [ ] A TASK
            - AN ITEM

              ```js
              const x = 1;
              ```
              AFTER CODE

            | A HEAD | `x|y` |
            |--------|:-----:|
            | ONE **CELL** | TWO \| THREE |

            :::tip[A *TITLE*]
            THE BODY
            :::

            :::note AN OLD TITLE {.c}
            :::

                indented code

            <Tabs>
                <TabItem label="Apple">
                    DEEP TEXT

                    - IN A TAB
                </TabItem>
            </Tabs>

            <details><summary>A SUMMARY</summary>HIDDEN <b>BOLD</b> <Icon name="x"/>.</details>

            {items.map(x => (
              <li>{x} text</li>
            ))}

            <table><tr><td>ONE</td><td>TWO <code>not this</code></td></tr></table>

            $$
            x = y
            $$

            ## WITH AN ID {#own} 

            THE END {props.x}. {/* comment */}

            [label]: https://r.e/f "Title"
            [^1]: THE *NOTE*.
            """,
            Translated(Page, text => text.ToUpperInvariant()));
    }

    [Fact]
    public void A_segment_is_plain_text_with_numbered_placeholders()
    {
        var document = TranslatableDocument.Parse("Text\n\n- Run `x`,\n  then [see **this** page](y.md) \\<b>.\n- [x] a task\n");

        Assert.Equal(["Text", "Run <x1/>, then <g2>see <g3>this</g3> page</g2> <b>.", "a task"], document.Segments.Select(s => s.Text));
        Assert.Equal([(0, 0, SegmentKind.Paragraph, 1, 1), (1, 1, SegmentKind.ListItem, 3, 4), (2, 2, SegmentKind.ListItem, 5, 5)], document.Segments.Select(s => (s.Index, s.Block, s.Kind, s.FirstLine, s.LastLine)));
    }

    [Theory]
    [InlineData("Line one\r\nline two\r\n\r\n```\r\na\r\nb\r\n```\r\n")]
    [InlineData("\uFEFF# Title\r\n\r\nA `code\r\nspan`  \r\nend\n")]
    [InlineData("One\rtwo")]
    [InlineData("---\ntitle: [\n---\n\nText")]
    [InlineData("---\nnot closed")]
    [InlineData("")]
    public void Line_ends_and_odd_front_matter_stay(string page)
    {
        var document = TranslatableDocument.Parse(page);

        Assert.Equal(page, document.Translate(document.Segments.ToDictionary(s => s.Index, s => s.Text), HeadingIds.None));
        Assert.Equal(page.Count(c => c == '\uFEFF'), Translated(page, Urdu).Count(c => c == '\uFEFF'));
        Assert.Equal(Translated(page.Replace("\r\n", "\n", StringComparison.Ordinal), Urdu), Translated(page, Urdu).Replace("\r\n", "\n", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(nameof(HeadingIds.Comment), "# T\n\n## Set up {/* #set-up */}\n\n## Set up {/* #set-up-1 */}\n\n### Own {/* #mine */}\n\n## ??\n")]
    [InlineData(nameof(HeadingIds.Classic), "# T\n\n## Set up {#set-up}\n\n## Set up {#set-up-1}\n\n### Own {/* #mine */}\n\n## ??\n")]
    [InlineData(nameof(HeadingIds.None), "# T\n\n## Set up\n\n## Set up\n\n### Own {/* #mine */}\n\n## ??\n")]
    public void Headings_get_the_ids_of_the_original(string ids, string expected) =>
        Assert.Equal(expected, TranslatableDocument.Parse("# T\n\n## Set up\n\n## Set up\n\n### Own {/* #mine */}\n\n## ??\n").Translate(new Dictionary<int, string>(), Enum.Parse<HeadingIds>(ids)));

    [Theory]
    [InlineData("A word.", "# not a heading", "\\# not a heading")]
    [InlineData("A word.", "1. not a list", "1\\. not a list")]
    [InlineData("A word.", "- no list", "\\- no list")]
    [InlineData("A word.", "import x from 'y'", "&#105;mport x from 'y'")]
    [InlineData("A word.", "a <b>x</b> {y} `c` *e* [l](u)", "a \\<b>x\\</b> \\{y\\} \\`c\\` \\*e\\* \\[l\\](u)")]
    [InlineData("A word.", "two\n\nparagraphs", "two paragraphs")]
    [InlineData("A word.", "$5$ &lt; snake_case _x_", "\\$5\\$ \\&lt; snake_case \\_x\\_")]
    [InlineData("Go [here](u).", "Wow!<g1>here</g1>", "Wow\\![here](u)")]
    [InlineData("Say **so** now.", "这是<g1>“文字”</g1>吗", "这是 **“文字”** 吗")]
    [InlineData("Say **so** now.", "x<g1> so </g1>y", "x **so** y")]
    [InlineData("See https://a.b/c now.", "دیکھیں <x1/>۔", "دیکھیں https://a.b/c ۔")]
    [InlineData("Use `a` and `b`.", "<x2/><x1/>", null)]
    [InlineData("Use `a` and `b`.", "go <x2/><x1/>", "go `b` `a`")]
    public void Text_that_looks_like_markup_is_escaped(string page, string translation, string? expected)
    {
        var document = TranslatableDocument.Parse(page);
        var sound = document.Sound(new Dictionary<int, string> { [0] = translation });

        Assert.Equal(expected ?? page, document.Translate(sound, HeadingIds.None));
    }

    [Theory]
    [InlineData("go", "The placeholder <x1/> is missing.")]
    [InlineData("go <x1/> <g2>x</g2> <x1/>", "The placeholder <x1/> is not in the original, or comes twice.")]
    [InlineData("go <x1/> <g2>x</g2> <x3/>", "The placeholder <x3/> is not in the original, or comes twice.")]
    [InlineData("go <x1/> <g2>x", "<g2> is not closed.")]
    [InlineData("go <x1/> </g2>x<g2>", "</g2> does not close the placeholder that was opened last.")]
    [InlineData("go <g2><x1/></g2>", "Between <g2> and </g2> there are no words.")]
    [InlineData("go <g2><x1/></g2> <g2>x</g2>", "Between <g2> and </g2> there are no words.")]
    [InlineData("go <g1>x</g1> <x2/>", "The placeholder <g1> has another form than in the original.")]
    [InlineData("?!", "The translation has no words.")]
    [InlineData("go <x1/> <g2>!</g2>", "Between <g2> and </g2> there are no words.")]
    [InlineData("go <x1/> <g2>x</g2>\n```", "The translation has a code fence.")]
    [InlineData("go <x1/> <g2>x</g2>, and another 500 words", "The translation is much longer than the original.")]
    [InlineData("go <x1/> <g2>x</g2> https://evil.example", Structure)]
    [InlineData("go <x1/> <g2>x</g2> www.evil.example", Structure)]
    [InlineData("go <x1/> <g2>x</g2> me@evil.example", Structure)]
    [InlineData("go <x1/> <g2>x</g2>[^1]", Structure)]
    public void A_translation_that_does_not_fit_is_refused_with_the_reason(string translation, string reason)
    {
        var document = TranslatableDocument.Parse("Run `x` as [told](y).\n\nOther.\n\n[^1]: Note.");
        var refused = new Dictionary<int, string>();
        translation = translation.Replace("500 words", string.Concat(Enumerable.Repeat("word ", 500)), StringComparison.Ordinal);
        var sound = document.Sound(new Dictionary<int, string> { [0] = translation, [1] = "Andere." }, refused);

        Assert.Equal([1], sound.Keys);
        Assert.Equal(reason, Assert.Single(refused).Value);
    }

    [Fact]
    public void A_title_without_words_is_refused()
    {
        var document = TranslatableDocument.Parse("---\ntitle: A page\n---\n\nText.");

        Assert.Equal([1], document.Sound(new Dictionary<int, string> { [0] = "?!", [1] = "Other." }).Keys);
    }

    [Theory]
    [InlineData("::video[Title]{src=a}")]
    [InlineData(":rocket:")]
    public void What_other_parsers_of_Markdown_take_for_markup_stays(string page) => Assert.Equal(page, Translated(page, Urdu));

    [Theory]
    [InlineData("| x |\n|---|\n| [label] |\n\n[label]: u", "| X |\n|---|\n| [LABEL][label] |\n\n[label]: u")]
    [InlineData("Go :rocket: to \"https://a.b/c_d_e\" or :abbr[HTML]{title=x}.", "GO :rocket: TO \"https://a.b/c_d_e\" OR :abbr[HTML]{title=x}.")]
    public void Links_keep_their_targets(string page, string expected) => Assert.Equal(expected, Translated(page, t => t.ToUpperInvariant()));

    /// <summary>A search that takes time by the square of such a text would exceed its limit, which is an exception.</summary>
    [Theory]
    [InlineData("", "a")]
    [InlineData("", "ا")]
    [InlineData("", "a.")]
    [InlineData("", "_a_")]
    [InlineData("word <", " ")]
    [InlineData("word <x", " ")]
    [InlineData("word <", "1")]
    [InlineData("word ", ":a")]
    [InlineData("word ", "https://")]
    [InlineData("word ", "&#")]
    public void A_text_of_100_000_characters_without_a_sentence_is_read_and_written(string start, string piece)
    {
        var text = start + string.Concat(Enumerable.Repeat(piece, 100_000 / piece.Length)) + " word";
        var document = TranslatableDocument.Parse($"Some prose.\n\n{text}");

        Assert.Equal([0, 1], document.Sound(document.Segments.ToDictionary(s => s.Index, s => $"{s.Text} more")).Keys);
    }

    [Fact]
    public void A_table_that_only_other_parsers_see_is_left_alone() =>
        Assert.Equal("Text\n| :--\nmore", Translated("Text\n| :--\nmore", Urdu));
}
