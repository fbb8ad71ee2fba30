using System.Globalization;
using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Docusaurus;
using Markdig.Extensions.Footnotes;
using Markdig.Extensions.Tables;
using Markdig.Syntax;

namespace ChatBackend.Features.Translate.Documents;

/// <summary>A block of prose.</summary>
/// <param name="BeginsLine">False for a heading after its <c>#</c> and for a cell.</param>
/// <param name="Heading">Only for a heading.</param>
internal sealed record ProseBlock(SegmentKind Kind, IReadOnlyList<PageNode> Nodes, bool BeginsLine, Heading? Heading = null)
{
    /// <summary>The comment or expression at the heading's end that is its id.</summary>
    public OpaqueNode? ExplicitId { get; init; }
}

/// <summary>The blocks of prose of a page in their order, and its skeleton: everything that a translation must not change.</summary>
internal sealed partial class PageReader
{
    private readonly PageSource _source;
    private readonly MaskedPage _page;
    private readonly List<ProseBlock> _blocks = [];
    private readonly List<string> _skeleton = [];
    private readonly HeadingAnchors _anchors = new();
    private bool _isTitle;
    private HashSet<string>? _labels;

    private PageReader(PageSource source, MaskedPage page) => (_source, _page) = (source, page);

    /// <param name="bodyStart">Where the front matter ends.</param>
    /// <returns>The top blocks are the offsets at which the page's outermost blocks begin.</returns>
    /// <exception cref="DocumentException">The lists or quotes are nested too deeply.</exception>
    public static (IReadOnlyList<ProseBlock> Blocks, IReadOnlyList<string> Skeleton, IReadOnlyList<int> TopBlocks) Read(PageSource source, int bodyStart)
    {
        var page = MaskedPage.Of(source.Text, bodyStart);
        var reader = new PageReader(source, page);
        reader.Visit(page.Tree, SegmentKind.Paragraph);

        var topBlocks = page.Tree.Where(block => block is not (LinkReferenceDefinitionGroup or FootnoteGroup)).Select(block => page.Start(block.Span.Start)).Order();

        return ([.. reader._blocks.Where(block => block.Nodes.Count > 0).OrderBy(block => block.Nodes[0].Start)], reader._skeleton, [.. topBlocks]);
    }

    private void Visit(ContainerBlock container, SegmentKind kind)
    {
        // Markdig orders footnotes by their marks, whose order a translation may change.
        foreach (var block in container.OrderBy(block => block.Span.Start))
        {
            switch (block)
            {
                case HeadingBlock heading:
                    VisitHeading(heading);
                    break;
                case ParagraphBlock paragraph:
                    VisitParagraph(paragraph, _isTitle ? SegmentKind.AdmonitionTitle : kind);
                    break;
                case ThematicBreakBlock rule when _page.BlockAt(rule.Span.Start) is { } masked:
                    _isTitle = masked.IsBeforeTitle;
                    _skeleton.Add($"as it is: {masked.Content}");
                    break;
                case LinkReferenceDefinitionGroup definitions:
                    _skeleton.AddRange(definitions.OfType<LinkReferenceDefinition>().Select(definition => $"definition: {definition.Label} {definition.Url} {definition.Title}").Order(StringComparer.Ordinal));
                    break;
                case ContainerBlock inner:
                    _skeleton.Add($"{NameOf(inner)}(");
                    Visit(inner, KindIn(inner, kind));
                    _skeleton.Add(")");
                    break;
                case LeafBlock { Span.IsEmpty: false } leaf:
                    _skeleton.Add($"{leaf.GetType().Name}: {_source.Text[_page.Start(leaf.Span.Start).._page.After(leaf.Span.End)]}");
                    break;
            }
        }
    }

    private void VisitParagraph(ParagraphBlock paragraph, SegmentKind kind)
    {
        var nodes = new InlineReader(_page, _source.Text).Read(paragraph.Inline);
        _skeleton.Add($"{kind}: {Skeleton(nodes)}");
        if (!LooksLikeTable(nodes) && !IsDirective(nodes))
            _blocks.Add(new(kind, nodes, BeginsLine: kind is not (SegmentKind.TableCell or SegmentKind.AdmonitionTitle)));
    }

    private void VisitHeading(HeadingBlock block)
    {
        var nodes = new InlineReader(_page, _source.Text).Read(block.Inline);
        var id = nodes.LastOrDefault(node => node is not TextNode text || !string.IsNullOrWhiteSpace(text.Text)) as OpaqueNode;
        if (id is not { Kind: OpaqueKind.Comment } || !_source.Text[id.Start..id.End].Trim('{', '}', '/', '*', ' ').StartsWith('#'))
            id = null;

        var heading = _anchors.Next(block.Level, nodes.Count == 0 ? "" : PlainText(_source.Text[nodes[0].Start..nodes[^1].End]));
        _skeleton.Add($"h{block.Level}: {Skeleton(nodes.Where(node => node != id))}");
        _blocks.Add(new(SegmentKind.Heading, nodes, BeginsLine: block.IsSetext, heading) { ExplicitId = id });
    }

    /// <summary>The text from which the chunker, too, makes the anchor.</summary>
    private string PlainText(string heading)
    {
        _labels ??= _page.Tree.OfType<LinkReferenceDefinitionGroup>().SelectMany(group => group).OfType<LinkReferenceDefinition>()
            .Select(definition => definition.Label).OfType<string>().ToHashSet(StringComparer.OrdinalIgnoreCase);
        // Those that the heading mentions: a page may have thousands of headings and of labels.
        var labels = Bracketed().Matches(heading).Select(match => string.Join(' ', match.Groups["label"].Value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))).Where(_labels.Contains).Distinct(StringComparer.OrdinalIgnoreCase);
        var tree = MarkdownChunker.Parse(MdxText.ToMarkdown($"## {heading.Replace('\n', ' ')}\n{string.Concat(labels.Select(label => $"\n[{label}]: u"))}"));

        return HeadingAnchors.PlainText(tree.OfType<HeadingBlock>().FirstOrDefault()?.Inline);
    }

    /// <summary>True for a table that other parsers of Markdown may find where this one does not. Without its line ends it would be none.</summary>
    private bool LooksLikeTable(IReadOnlyList<PageNode> nodes)
    {
        if (nodes.Count == 0)
            return false;

        foreach (var line in _source.Text.AsSpan(nodes[0].Start..nodes[^1].End).EnumerateLines())
        {
            var rest = line.Trim(" \t>");
            if (rest.Contains('-') && rest.IndexOfAnyExcept("|:- \t") < 0 && rest.IndexOfAny('|', ':') >= 0)
                return true;
        }

        return false;
    }

    /// <summary>True for a directive that is a block: <c>::video[Title]{src=…}</c>.</summary>
    private bool IsDirective(IReadOnlyList<PageNode> nodes) => nodes.Count > 0 && _source.Text.AsSpan(nodes[0].Start).StartsWith("::");

    private static SegmentKind KindIn(ContainerBlock block, SegmentKind outer) => block switch
    {
        ListBlock => SegmentKind.ListItem,
        Table => SegmentKind.TableCell,
        Footnote => SegmentKind.Footnote,
        QuoteBlock => SegmentKind.Paragraph,
        _ => outer,
    };

    private static string NameOf(ContainerBlock block) => block switch
    {
        ListBlock list => string.Create(CultureInfo.InvariantCulture, $"list {list.BulletType} {list.OrderedStart}"),
        Table table => $"table {string.Join(' ', table.ColumnDefinitions.Select(column => column.Alignment))}",
        TableRow { IsHeader: true } => "header",
        Footnote footnote => $"footnote {footnote.Label}",
        _ => block.GetType().Name,
    };

    /// <summary>What a block has besides its words. The order inside of it is not compared: languages differ in theirs.</summary>
    private string Skeleton(IEnumerable<PageNode> nodes)
    {
        var parts = new List<string>();
        var hasWords = false;
        foreach (var node in nodes)
        {
            switch (node)
            {
                case TextNode text:
                    hasWords |= text.Text.Any(char.IsLetterOrDigit);
                    break;
                case OpaqueNode { Kind: OpaqueKind.LineBreak }:
                    parts.Add("line break");
                    break;
                case OpaqueNode opaque:
                    parts.Add(_source.Text[opaque.Start..opaque.End]);
                    break;
                case PairNode pair:
                    var opening = _source.Text[pair.Start..pair.Inner];
                    var closing = pair.Closing ?? _source.Text[pair.InnerEnd..pair.End];
                    parts.Add($"{opening}…{closing}({Skeleton(pair.Children)})");
                    break;
            }
        }

        parts.Sort(StringComparer.Ordinal);

        return string.Join(' ', hasWords ? ["words", .. parts] : parts);
    }

    [GeneratedRegex(@"\[(?<label>[^\[\]]+)\]", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: Segment.LongestMatch)]
    private static partial Regex Bracketed();
}
