using System.Text.RegularExpressions;
using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using ChatBackend.Infrastructure.Docusaurus;
using Markdig;
using Microsoft.Extensions.Options;

namespace ChatBackend.Tests.Features.Translate.Documents;

/// <summary>What a page and its translation must have in common, read without the translation's own code: by the scanner, by the chunker, and
/// from the HTML that Markdig renders, in which tags and expressions are a sign.</summary>
internal static partial class Invariants
{
    /// <summary>How many comparisons <see cref="Violations"/> makes.</summary>
    public const int Checks = 10;

    private static readonly MarkdownPipeline Pipeline = WithoutIndentedCode(
        new MarkdownPipelineBuilder().UsePipeTables().UseMathematics().UseFootnotes().UseEmphasisExtras().UseTaskLists().UseAutoLinks(new() { ValidPreviousCharacters = "*_~(<\"'[.,:;!?" }).DisableHtml());

    private static readonly HashSet<string> InlineElements = ["a", "code", "em", "strong", "del", "img", "br", "span", "sub", "sup", "input", "ins", "mark"];

    private static readonly MarkdownChunker Chunker = new(Options.Create(new SiteOptions()));

    public static IReadOnlyList<string> Violations(string original, string translated)
    {
        var (before, after) = (Page.Of(original), Page.Of(translated));
        var violations = new List<string>();
        Compare("code blocks", before.Spans(MdxKind.CodeBlock), after.Spans(MdxKind.CodeBlock));
        Compare("inline code", before.Spans(MdxKind.InlineCode).Order(StringComparer.Ordinal), after.Spans(MdxKind.InlineCode).Order(StringComparer.Ordinal));
        Compare("formulas", before.Formulas, after.Formulas);
        Compare("tags", before.Spans(MdxKind.Tag).Order(StringComparer.Ordinal), after.Spans(MdxKind.Tag).Order(StringComparer.Ordinal));
        Compare("comments and expressions", before.Expressions, after.Expressions);
        Compare("imports and exports", before.Spans(MdxKind.Module), after.Spans(MdxKind.Module));
        Compare("admonitions", before.Admonitions, after.Admonitions);
        Compare("headings", before.Headings, after.Headings);
        Compare("rendered skeleton", [before.Skeleton], [after.Skeleton]);
        Compare("line ends", [LineEnds(original)], [LineEnds(translated)]);

        return violations;

        void Compare(string what, IEnumerable<string> one, IEnumerable<string> other)
        {
            if (string.Join('\n', one) is var a && string.Join('\n', other) is var b && a != b)
                violations.Add($"{what}:\n{a}\n--- became\n{b}\n");
        }
    }

    private static MarkdownPipeline WithoutIndentedCode(MarkdownPipelineBuilder builder)
    {
        builder.BlockParsers.TryRemove<Markdig.Parsers.IndentedCodeBlockParser>();

        return builder.Build();
    }

    private static string LineEnds(string text) =>
        $"{text.StartsWith('\uFEFF')} {text.Contains("\r\n", StringComparison.Ordinal) && !LineFeed().IsMatch(text)} {text.EndsWith('\n')}";

    [GeneratedRegex(@"[ \t]*\{(/\* )?#[^}\s]+( \*/)?\}(?=[ \t#]*$)", RegexOptions.Multiline)]
    private static partial Regex HeadingId();

    [GeneratedRegex("(?<!\r)\n")]
    private static partial Regex LineFeed();

    private sealed record Page(string Body, IReadOnlyList<MdxSpan> All, string Skeleton, IReadOnlyList<string> Headings)
    {
        public IEnumerable<string> Formulas => Spans(MdxKind.InlineMath).Concat(Spans(MdxKind.MathBlock)).Order(StringComparer.Ordinal);

        public IEnumerable<string> Expressions => Spans(MdxKind.Comment).Concat(Spans(MdxKind.Expression))
            .Where(text => !text.Trim('{', '}', '/', '*', ' ').StartsWith('#')).Order(StringComparer.Ordinal);

        public IEnumerable<string> Admonitions => Spans(MdxKind.Admonition).Select(line => Keyword().Match(line).Value);

        public static Page Of(string text)
        {
            text = text.TrimStart('\uFEFF').ReplaceLineEndings("\n");
            string body;
            try
            {
                body = FrontMatter.Split(text).Body;
            }
            catch (DocumentException)
            {
                body = text;
            }

            var markdown = MdxText.ToMarkdown(body);
            var document = new HtmlParser().ParseDocument(Markdown.ToHtml(WithoutMdx(HeadingId().Replace(body, "")), Pipeline));
            var anchors = new HeadingAnchors();
            var headings = Markdig.Syntax.MarkdownObjectExtensions.Descendants<Markdig.Syntax.HeadingBlock>(MarkdownChunker.Parse(markdown)).OrderBy(h => h.Span.Start).Select(anchors.Next).Where(h => h.Level > 1).Select(h => $"h{h.Level} {h.Anchor}");

            return new(body, MdxScanner.Scan(body), Of(document.Body!), [.. headings]);
        }

        public IEnumerable<string> Spans(MdxKind kind) => All.Where(span => span.Kind == kind).Select(span => Body[span.Start..span.End]);

        private static string WithoutMdx(string body) => string.Concat(MdxScanner.Scan(body).Select(span =>
            span.Kind is MdxKind.Tag or MdxKind.Comment or MdxKind.Expression ? "<" : body[span.Start..span.End]));

        private static string Of(IElement element)
        {
            if (element.LocalName is "code" or "pre")
                return $"{element.LocalName} {element.TextContent}";

            var blocks = new List<string>();
            var inlines = new List<string>();
            foreach (var child in element.Children.Where(child => !child.ClassList.Contains("footnote-back-ref")))
                (InlineElements.Contains(child.LocalName) ? inlines : blocks).Add(Of(child));
            inlines.Sort(StringComparer.Ordinal);
            // Notes are numbered by their marks, whose order in a sentence may change.
            if (element.ParentElement?.ClassList.Contains("footnotes") == true)
                blocks.Sort(StringComparer.Ordinal);

            var target = $"{element.GetAttribute("href")}{element.GetAttribute("src")}";
            var words = element.ChildNodes.OfType<IText>().Any(text => text.Data.Any(char.IsLetterOrDigit)) && !element.ClassList.Contains("footnote-ref") ? "words" : "";

            return $"{element.LocalName} {(target.StartsWith("#fn", StringComparison.Ordinal) ? "#fn" : target)} {words}({string.Join(' ', inlines)} {string.Join(' ', blocks)})";
        }
    }

    [GeneratedRegex(@"^[\s>]*:::+\s*[\w-]*")]
    private static partial Regex Keyword();
}
