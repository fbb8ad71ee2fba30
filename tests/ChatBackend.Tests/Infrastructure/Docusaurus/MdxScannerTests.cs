using ChatBackend.Infrastructure.Docusaurus;
using FsCheck;
using FsCheck.Fluent;

namespace ChatBackend.Tests.Infrastructure.Docusaurus;

public sealed class MdxScannerTests
{
    private static readonly string[] Fragments =
    [
        "a", "روبوٹ", "🤖", " ", "\t", "\n", "\n\n", "\\", "`", "``", "```", "~~~", "$", "$$", "{", "}", "(", ")", "{/*", "*/}", "{#id}", "<!--", "-->",
        "<", ">", "</", "/>", "<b>", "</b>", "<Tabs>", "<TabItem value=\"v\">", "<style>", "</style>", "<a href={x => {", "<a\n\n b=", "='", "\"", "/*", "//", "# ", "- ", "1. ", "> ",
        ":::note", ":::", "import x from 'y'", "import {", "export const a = (", "\uD800",
    ];

    [Fact]
    public void Each_kind_of_span_is_recognized()
    {
        const string Page =
            "import A from 'a';\n\n# Title {#id}\n\n:::tip[Look]\n\nRun `a <b>` for $x_1$ in <b>bold</b> {/* note */}\\{.\n\n:::\n\n```js\n<a>\n```\n\n$$\nx\n$$\n<style>p {}</style>\n";

        Assert.Equal(
            [
                (MdxKind.Module, "import A from 'a';\n"), (MdxKind.Text, "\n"),
                (MdxKind.Text, "# Title "), (MdxKind.Expression, "{#id}"), (MdxKind.Text, "\n"), (MdxKind.Text, "\n"),
                (MdxKind.Admonition, ":::tip[Look]\n"), (MdxKind.Text, "\n"),
                (MdxKind.Text, "Run "), (MdxKind.InlineCode, "`a <b>`"), (MdxKind.Text, " for "), (MdxKind.InlineMath, "$x_1$"), (MdxKind.Text, " in "),
                (MdxKind.Tag, "<b>"), (MdxKind.Text, "bold"), (MdxKind.Tag, "</b>"), (MdxKind.Text, " "), (MdxKind.Comment, "{/* note */}"),
                (MdxKind.Text, "\\{.\n"), (MdxKind.Text, "\n"),
                (MdxKind.Admonition, ":::\n"), (MdxKind.Text, "\n"),
                (MdxKind.CodeBlock, "```js\n<a>\n```\n"), (MdxKind.Text, "\n"),
                (MdxKind.MathBlock, "$$\nx\n$$\n"),
                (MdxKind.Tag, "<style>p {}</style>"), (MdxKind.Text, "\n"),
            ],
            MdxScanner.Scan(Page).Select(span => (span.Kind, Page[span.Start..span.End])));
    }

    public static TheoryData<string> Tags() =>
    [
        $"<Quiz questions={{[\n{string.Join('\n', Enumerable.Repeat("{question: \"Why {\", options: [\"it's\", 'b', `c > ${d}`]},", 2000))}\n]}}/>",
        "<Quiz\n\n  title=\"a > b\"\n\n  questions={[\n\n    1,\n\n  ]}\n/>",
        @"<Quiz answers={['It\'s }', ""a \"" }""]}/>",
        "<Quiz answers={[1, // don't }\n  2 /* it's { */]}/>",
        "<Quiz hint={<p>Don't {'x'} won't, see https://a.b</p>}/>",
        "<Quiz {...props} width=40 data-a='b' aria-label = \"c\" open/>",
    ];

    [Theory]
    [MemberData(nameof(Tags))]
    public void A_tag_is_one_span_whatever_its_properties_are(string tag)
    {
        var page = $"Before.\n\n{tag}\n\nAfter.\n";

        Assert.Contains((MdxKind.Tag, tag), MdxScanner.Scan(page).Select(span => (span.Kind, page[span.Start..span.End])));
    }

    [Fact]
    public void Spans_cover_every_page_of_the_sample_book()
    {
        var pages = Directory.GetFiles(Path.Combine(Repository.Root, "sample-book"), "*.md*", SearchOption.AllDirectories);

        Assert.NotEmpty(pages);
        Assert.All(pages, page => CoverSource(FrontMatter.Split(File.ReadAllText(page).ReplaceLineEndings("\n")).Body));
    }

    [Fact]
    public void Spans_cover_whatever_the_page_is() =>
        Prop.ForAll(Gen.Elements(Fragments).ListOf().ToArbitrary(), fragments => CoverSource(string.Concat(fragments))).QuickCheckThrowOnFailure();

    private static void CoverSource(string source)
    {
        var position = 0;

        foreach (var span in MdxScanner.Scan(source))
        {
            Assert.Equal(position, span.Start);
            Assert.True(span.End > span.Start);
            position = span.End;
        }

        Assert.Equal(source.Length, position);
    }
}
