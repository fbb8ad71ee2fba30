using System.Text;
using System.Text.RegularExpressions;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Docusaurus.Site;
using ChatBackend.Infrastructure.Search;
using Markdig;
using Markdig.Extensions.Mathematics;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;
using Microsoft.Extensions.Options;

namespace ChatBackend.Tests.Infrastructure.Docusaurus;

/// <summary>Compares the passages of two folders with what Docusaurus itself makes of them.</summary>
public sealed partial class BuiltSiteTests(BuiltSite site) : IClassFixture<BuiltSite>
{
    private static readonly MarkdownPipeline Pipeline = new MarkdownPipelineBuilder().UsePipeTables().UseMathematics().UseFootnotes().UseEmphasisExtras().UseTaskLists().Build();

    [Theory]
    [InlineData("docs", 15)]
    [InlineData("awkward", 8)]
    public async Task Every_citation_is_a_heading_of_the_site_and_every_heading_has_a_passage(string route, int pages)
    {
        Assert.SkipWhen(site.Missing is not null, site.Missing ?? "");
        var documents = await DocumentsAsync(route);
        var problems = new List<string>();

        foreach (var document in documents)
        {
            if (Find(document) is not { } page)
            {
                problems.Add($"{document.Path}: there is no {document.Url}");
                continue;
            }

            var headings = (await ArticleAsync(page)).QuerySelectorAll("h2[id], h3[id], h4[id], h5[id], h6[id]").Where(heading => !heading.ClassList.Contains("sr-only")).Select(heading => (Id: heading.Id!, Text: Normal(Text(heading)))).ToList();
            Assert.Subset(page.Anchors.ToHashSet(), headings.Select(heading => heading.Id).ToHashSet());

            foreach (var chunk in document.Chunks.Where(chunk => chunk.Anchor is not null))
            {
                if (!headings.Contains((chunk.Anchor!, Normal(chunk.HeadingPath[^1]))))
                    problems.Add($"{document.Path}: #{chunk.Anchor} is not the heading {chunk.HeadingPath[^1]}");
            }

            // A heading directly above another has no text of its own; it stands in the heading path of the passages below it.
            foreach (var (id, text) in headings.Where(heading => !document.Chunks.Any(chunk => Has(chunk, heading.Id, heading.Text))))
                problems.Add($"{document.Path}: no passage has the heading {text} (#{id})");
        }

        Assert.True(problems.Count == 0, string.Join('\n', problems));
        Assert.Equal(pages, documents.Count);
    }

    [Theory]
    [InlineData("docs")]
    [InlineData("awkward")]
    public async Task The_passages_have_the_words_of_the_pages_and_no_others(string route)
    {
        Assert.SkipWhen(site.Missing is not null, site.Missing ?? "");
        var (foreign, ours, missing, theirs) = (new List<string>(), 0, new List<string>(), 0);

        foreach (var document in await DocumentsAsync(route))
        {
            // A page of a description alone shows nothing of it.
            if (Find(document) is not { } page || document.Path == "description.md")
                continue;

            var shown = Words(Text(await ArticleAsync(page))).ToList();
            var passages = Words($"{document.Title}\n{string.Join('\n', document.Chunks.Select(chunk => $"{string.Join('\n', chunk.HeadingPath)}\n{PlainText(chunk.Text)}"))}").ToList();
            foreign.AddRange(passages.Except(shown, StringComparer.OrdinalIgnoreCase).Select(word => $"{document.Path}: {word}"));
            missing.AddRange(shown.Except(passages, StringComparer.OrdinalIgnoreCase).Select(word => $"{document.Path}: {word}"));
            (ours, theirs) = (ours + passages.Distinct(StringComparer.OrdinalIgnoreCase).Count(), theirs + shown.Distinct(StringComparer.OrdinalIgnoreCase).Count());
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{foreign.Count} of {ours} are not on the pages, {missing.Count} of {theirs} are missing.");
        Assert.True(foreign.Count < 0.03 * ours, $"{foreign.Count} of {ours} words are not on the pages:\n{string.Join('\n', foreign)}");
        Assert.True(missing.Count < 0.01 * theirs, $"{missing.Count} of {theirs} words are missing:\n{string.Join('\n', missing)}");
    }

    [Fact]
    public void The_manifest_lists_the_pages_in_the_sidebars_order_and_can_be_written_and_read()
    {
        Assert.SkipWhen(site.Missing is not null, site.Missing ?? "");
        var manifest = SiteManifest.Parse(site.Manifest.ToJson());
        var order = manifest.Pages.Where(page => page.Id is not null && page.Route.StartsWith("docs", StringComparison.Ordinal)).Select(page => page.Route);

        Assert.Equal("/base/", manifest.BasePath);
        Assert.Equal(
            ["docs/intro", "docs/foundations/embodied-intelligence", "docs/ros2/nodes-and-topics", "docs/ros2/services-actions-parameters", "docs/simulation/urdf"],
            order.Take(5));
        Assert.Equal("/base/awkward/from-parts/", manifest.Pages.Single(page => page.Id == "partials").Path);
        Assert.Contains("zero-moment-point", manifest.Pages.Single(page => page.Route == "docs/motion/balance-and-walking").Anchors);
    }

    private static bool Has(Chunk chunk, string anchor, string heading) =>
        chunk.Anchor == anchor
        || chunk.HeadingPath.Any(above => Normal(above) == heading)
        || chunk.Text.Split('\n').Select(line => line.TrimStart(' ', '>', '-')).Any(line => line.StartsWith('#') && Normal(PlainText(line)) == heading);

    private SitePage? Find(IndexedDocument document) => site.Manifest.Pages.SingleOrDefault(page => new Uri(new("https://book.example"), page.Path).AbsoluteUri == document.Url);

    private async Task<List<IndexedDocument>> DocumentsAsync(string route)
    {
        var options = new SiteOptions { BaseUrl = new("https://book.example/base/"), DocsRoute = $"/{route}" };
        var published = new PublishedPages(options, [], site: null);
        var onSite = new PublishedPages(options, [], site.Manifest);
        var chunker = new MarkdownChunker(Options.Create(options));
        var documents = new List<IndexedDocument>();

        foreach (var page in BookFolder.Find(site.Docs(route)).Pages)
        {
            var content = await BookFolder.ReadWithPartialsAsync(site.Docs(route), page, TestContext.Current.CancellationToken);
            if (published.Find(page, content).LeftOut is not null || chunker.Inspect(page, content).IsDraft)
                continue;

            documents.Add(chunker.Document(page, content));
            Assert.Equal(documents[^1].Url, onSite.Find(page, content).Url);
        }

        return documents;
    }

    private async Task<IElement> ArticleAsync(SitePage page)
    {
        string[] candidates = [Path.Combine(site.Build, page.Route, "index.html"), Path.Combine(site.Build, $"{page.Route}.html")];
        using var document = await new HtmlParser().ParseDocumentAsync(await File.ReadAllTextAsync(candidates.First(File.Exists)), TestContext.Current.CancellationToken);

        return (IElement)document.QuerySelector(".theme-doc-markdown")!.Clone();
    }

    /// <summary>What the page shows. A formula is shown as its source, and where a block ends, a word ends.</summary>
    private static string Text(INode node)
    {
        if (node is IText text)
            return text.Data;
        if (node is not IElement element || element.ClassList.Contains("hash-link") || element.ClassList.Contains("sr-only") || element.HasAttribute("data-footnote-ref") || element.LocalName is "style" or "script" or "button")
            return "";
        if (element.ClassList.Contains("katex"))
            return $" {element.QuerySelector("annotation")?.TextContent} ";

        var inner = string.Concat(element.ChildNodes.Select(Text));

        return element.LocalName is "span" or "a" or "em" or "strong" or "code" or "b" or "i" or "kbd" or "del" ? inner : $" {inner} ";
    }

    private static string PlainText(string markdown)
    {
        var text = new StringBuilder();

        foreach (var node in Markdown.Parse(markdown, Pipeline).Descendants())
        {
            switch (node)
            {
                case FencedCodeBlock code:
                    text.Append('\n').Append(CodeTitle().Match(code.Arguments ?? "").Groups["title"].Value).Append('\n').Append(code.Lines).Append('\n');
                    break;
                case Block:
                    text.Append('\n');
                    break;
                case LiteralInline literal:
                    text.Append(literal.Content.AsSpan());
                    break;
                case CodeInline code:
                    text.Append(code.Content);
                    break;
                case MathInline math:
                    text.Append(math.Content.AsSpan());
                    break;
                case AutolinkInline link:
                    text.Append(link.Url);
                    break;
                case HtmlEntityInline entity:
                    text.Append(entity.Transcoded.AsSpan());
                    break;
                case LineBreakInline:
                    text.Append(' ');
                    break;
            }
        }

        return text.ToString();
    }

    private static IEnumerable<string> Words(string text) => Word().Matches(text).Select(word => word.Value);

    private static string Normal(string text) => string.Join(' ', Words(text));

    [GeneratedRegex(@"[\p{L}\p{M}\p{N}]+", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Word();

    [GeneratedRegex("title=\"(?<title>[^\"]*)\"", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex CodeTitle();
}
