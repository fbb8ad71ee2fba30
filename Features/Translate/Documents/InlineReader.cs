using System.Text;
using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Docusaurus;
using Markdig.Extensions.Footnotes;
using Markdig.Extensions.TaskLists;
using Markdig.Syntax.Inlines;

namespace ChatBackend.Features.Translate.Documents;

/// <summary>Reads the prose of one block: what is text, what must stay as it is, and what encloses text.</summary>
internal sealed partial class InlineReader(MaskedPage page, string source)
{
    private static readonly HashSet<string> InlineTags = new(StringComparer.Ordinal)
    {
        "a", "abbr", "b", "bdi", "bdo", "cite", "del", "dfn", "em", "i", "ins", "label", "mark", "q", "s", "small", "span", "strong", "sub", "sup", "time", "u",
    };

    private readonly StringBuilder _text = new();
    private readonly List<(int Start, int End)> _characters = [];

    public IReadOnlyList<PageNode> Read(ContainerInline? container)
    {
        var nodes = new List<PageNode>();
        for (var inline = container?.FirstChild; inline is not null; inline = inline.NextSibling)
            Add(inline, nodes);
        Flush(nodes);

        return PairTags(nodes);
    }

    private void Add(Inline inline, List<PageNode> nodes)
    {
        switch (inline)
        {
            case LiteralInline literal:
                AddLiteral(literal, nodes);
                return;
            case HtmlEntityInline entity:
                AddText(entity.Transcoded.ToString(), page.Start(entity.Span.Start), page.After(entity.Span.End));
                return;
            case LineBreakInline { IsHard: false } line:
                AddText(" ", page.Start(line.Span.Start), page.After(line.Span.End));
                return;
            // Markdig appends links back to the notes' marks. They are not in the source.
            case FootnoteLink { IsBackLink: true }:
                return;
        }

        Flush(nodes);
        var (start, end) = (page.Start(inline.Span.Start), page.After(inline.Span.End));
        nodes.Add(inline switch
        {
            LineBreakInline => HardBreak(inline, nodes, start),
            TaskList => new OpaqueNode(start, end, OpaqueKind.Boundary),
            LinkInline { IsAutoLink: true } => new OpaqueNode(start, end, OpaqueKind.Address),
            LinkInline { FirstChild: not null } link => Link(link, start, end),
            EmphasisInline { FirstChild: not null } emphasis => Pair(
                start, end, PairKind.Emphasis, start + emphasis.DelimiterCount, end - emphasis.DelimiterCount, emphasis),
            _ => new OpaqueNode(start, end, OpaqueKind.Item),
        });
    }

    private PairNode Pair(int start, int end, PairKind kind, int inner, int innerEnd, ContainerInline container, string? closing = null) =>
        new(start, end, kind, inner, innerEnd, new InlineReader(page, source).Read(container)) { Closing = closing };

    private PairNode Link(LinkInline link, int start, int end)
    {
        var inner = start + (link.IsImage ? 2 : 1);
        var innerEnd = Math.Max(inner, page.After(link.LastChild!.Span.End));
        // A text that is its link's label too gets the label behind it.
        var closing = source[innerEnd..end] is "]" or "][]" ? $"][{source[inner..innerEnd]}]" : null;

        return Pair(start, end, link.IsImage ? PairKind.Image : PairKind.Link, inner, innerEnd, link, closing);
    }

    /// <summary>From the spaces or the backslash before the line end to the first character of the next line.</summary>
    private OpaqueNode HardBreak(Inline line, List<PageNode> nodes, int start)
    {
        var from = nodes.Count > 0 ? Math.Min(nodes[^1].End, start) : start;
        var to = line.NextSibling is { } next ? page.Start(next.Span.Start) : page.After(line.Span.End);

        return new(from, Math.Max(from, to), OpaqueKind.LineBreak);
    }

    private void AddLiteral(LiteralInline literal, List<PageNode> nodes)
    {
        var from = literal.Span.Start;
        // The backslash of an escaped character.
        var isEscaped = literal.IsFirstCharacterEscaped && page.Text[from] == '\\';
        for (var position = isEscaped ? from + 1 : from; position <= literal.Span.End; position++)
        {
            if (page.MarkAt(position) is { } span)
            {
                Flush(nodes);
                nodes.Add(new OpaqueNode(span.Start, span.End, KindOf(span)));
            }
            else if (!page.IsGuard(position))
            {
                _text.Append(page.Text[position]);
                _characters.Add((page.Start(isEscaped && position == from + 1 ? from : position), page.After(position)));
            }
        }
    }

    private OpaqueKind KindOf(MdxSpan span) => span.Kind switch
    {
        MdxKind.Comment => OpaqueKind.Comment,
        MdxKind.Expression when source.AsSpan(span.Start..span.End).StartsWith("{#") => OpaqueKind.Comment,
        MdxKind.Tag => OpaqueKind.Boundary,
        _ => OpaqueKind.Item,
    };

    private void AddText(string text, int start, int end)
    {
        _text.Append(text);
        foreach (var _ in text)
            _characters.Add((start, end));
    }

    private void Flush(List<PageNode> nodes)
    {
        var text = _text.ToString();
        var done = 0;
        foreach (Match item in NotProse().Matches(text))
        {
            AddPart(done, item.Index);
            nodes.Add(new OpaqueNode(_characters[item.Index].Start, _characters[item.Index + item.Length - 1].End, item.Value.Contains('@') || item.Value.Contains("://", StringComparison.Ordinal) ? OpaqueKind.Address : OpaqueKind.Item));
            done = item.Index + item.Length;
        }

        AddPart(done, text.Length);
        _text.Clear();
        _characters.Clear();

        void AddPart(int from, int to)
        {
            if (to > from)
                nodes.Add(new TextNode(_characters[from].Start, _characters[to - 1].End, text[from..to]) { Characters = _characters[from..to] });
        }
    }

    /// <summary>Marks of footnotes that do not exist, addresses, emoji codes, directives, and text that looks like a placeholder.</summary>
    /// <remarks>Takes time in proportion to the text, whatever is in it: a word of 100,000 letters is one, too.</remarks>
    [GeneratedRegex(
        @"\[\^[^\[\]\s]+\]|https?://[^\s<]*[^\s<?!.,:;*_~'"")\]]|(?<![\w.+-])[\w.+-]+@[\w-]+(\.[\w-]+)+|(?<![\w:]):[a-z0-9_+-]+:(?![\w:])|(?<![\w:]):[a-z][\w-]*\[[^\[\]]*\]|<(?>\s*/?\s*)[xg](?>\s*\d+\s*/?\s*)>",
        RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: Segment.LongestMatch)]
    private static partial Regex NotProse();

    private List<PageNode> PairTags(List<PageNode> nodes)
    {
        var result = new List<PageNode>();
        var open = new List<(string Name, int Index)>();
        foreach (var node in nodes)
        {
            if (node is not OpaqueNode { Kind: OpaqueKind.Boundary } tag || source[tag.Start] != '<')
            {
                result.Add(node);
                continue;
            }

            var (name, isClosing, isWhole) = MdxTag.Read(source.AsSpan(tag.Start..tag.End));
            if (isWhole)
            {
                result.Add(tag with { Kind = name == "hr" ? OpaqueKind.Boundary : OpaqueKind.Item });
            }
            else if (!isClosing)
            {
                open.Add((name, result.Count));
                result.Add(tag);
            }
            else if (open.FindLastIndex(element => element.Name == name) is >= 0 and var index)
            {
                var first = open[index].Index;
                open.RemoveRange(index, open.Count - index);
                var kind = InlineTags.Contains(name) || name.Length == 0 || char.IsAsciiLetterUpper(name[0]) ? PairKind.Element : PairKind.Block;
                var pair = new PairNode(result[first].Start, tag.End, kind, result[first].End, tag.Start, result[(first + 1)..]);
                result.RemoveRange(first, result.Count - first);
                result.Add(pair);
            }
            else
            {
                result.Add(tag);
            }
        }

        return result;
    }
}
