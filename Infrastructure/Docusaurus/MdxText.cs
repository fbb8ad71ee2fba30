using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace ChatBackend.Infrastructure.Docusaurus;

/// <summary>Converts a Docusaurus page (MDX with admonitions) to plain Markdown. Imports, exports, comments and JSX tags are removed.
/// The text between tags, tab labels and admonition titles are kept. Code and math are not changed.</summary>
internal sealed partial class MdxText
{
    private static readonly HashSet<string> InlineTags = new(StringComparer.Ordinal)
    {
        "a", "abbr", "b", "bdi", "bdo", "br", "cite", "code", "del", "dfn", "em", "i", "img", "input", "ins", "kbd", "label", "mark",
        "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr",
    };

    /// <summary>Void tags, and those whose span includes their whole element.</summary>
    private static readonly HashSet<string> ChildlessTags = new(StringComparer.Ordinal)
    {
        "br", "hr", "img", "input", "wbr", "source", "meta", "link", "col", "script", "style", "svg", "head", "Head",
    };

    private static readonly SearchValues<char> TagName = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-:_");

    private readonly string _source;
    private readonly StringBuilder _output;
    private readonly List<Element> _open = [];
    private Line? _line;

    // The position in the output after the last paragraph break or line end, and whether only spaces follow it.
    private int _lineStart;
    private bool _isBlank;

    private MdxText(string source)
    {
        _source = source;
        _output = new(source.Length);
    }

    /// <param name="source">The page without its front matter, with line feeds only.</param>
    public static string ToMarkdown(string source)
    {
        source = UnwrapMdxBlocks(source);
        var text = new MdxText(source);

        foreach (var span in MdxScanner.Scan(source))
            text.Write(span.Kind, span.Start, source.AsSpan(span.Start..span.End));
        text.EndLine();

        return text._output.ToString();
    }

    /// <summary>Removes the fences of <c>mdx-code-block</c>, whose content is MDX that other Markdown tools show as code.</summary>
    public static string UnwrapMdxBlocks(string source)
    {
        if (!source.Contains("mdx-code-block", StringComparison.Ordinal))
            return source;

        var text = new StringBuilder(source.Length);

        foreach (var span in MdxScanner.Scan(source))
        {
            var lines = source[span.Start..span.End];
            if (span.Kind == MdxKind.CodeBlock && MdxBlock().Match(lines) is { Success: true } block)
                text.Append('\n').Append(block.Groups["content"].ValueSpan).Append('\n');
            else
                text.Append(lines);
        }

        return text.ToString();
    }

    private void Write(MdxKind kind, int start, ReadOnlySpan<char> text)
    {
        switch (kind)
        {
            case MdxKind.Module:
                break;
            case MdxKind.CodeBlock or MdxKind.MathBlock:
                WriteBlock(text.EndsWith('\n') ? text[..^1] : text);
                break;
            case MdxKind.Admonition:
                WriteAdmonition(text.TrimEnd('\n'));
                break;
            case MdxKind.Tag:
                WriteTag(_line ??= BeginLine(start), text);
                break;
            case MdxKind.Comment:
                WriteComment(_line ??= BeginLine(start), text, start + text.Length);
                break;
            case MdxKind.Expression when StringLiteral(text) is { IsEmpty: false } words:
                (_line ??= BeginLine(start)).HidesSource = true;
                _output.Append(words);
                _isBlank &= words.IsWhiteSpace();
                break;
            default:
                WriteInline(start, text);
                break;
        }
    }

    /// <summary>What <c>{'an expression'}</c> shows, if it is a string without escapes; else nothing.</summary>
    private static ReadOnlySpan<char> StringLiteral(ReadOnlySpan<char> expression)
    {
        var literal = expression[1..^1].Trim();

        return literal.Length > 2 && literal[0] is '\'' or '"' && literal[1..].IndexOfAny(literal[0], '\\', '\n') == literal.Length - 2 ? literal[1..^1] : default;
    }

    private void WriteBlock(ReadOnlySpan<char> lines)
    {
        var prefix = MdxScanner.PrefixLength(lines);
        if (lines[prefix..].TrimStart("`~").TrimStart().StartsWith("mermaid"))
        {
            var quote = lines[Math.Min(Outdent(lines), prefix)..prefix];
            BreakParagraph(quote);
            _output.Append(quote).Append("**Diagram (Mermaid):**\n");
            BreakParagraph(quote);
        }

        // Docusaurus shows the comments where the lines to highlight are named by their numbers: ```js {1,4-6}
        var opening = lines.IndexOf('\n') is var end and >= 0 ? lines[..end] : lines;
        var hidesComments = !HighlightedLines().IsMatch(opening);

        foreach (var range in lines.Split('\n'))
        {
            var line = lines[range];
            if (!hidesComments || !line.Contains("highlight-", StringComparison.Ordinal) || !MagicComment().IsMatch(line))
                _output.Append(line[Outdent(line)..]).Append('\n');
        }
    }

    private void WriteInline(int start, ReadOnlySpan<char> text)
    {
        if (_line is null)
        {
            _line = BeginLine(start);
            text = text[_line.Outdent..];
        }

        var endsLine = text.EndsWith('\n');
        _output.Append(endsLine ? text[..^1] : text);
        _isBlank &= text.IsWhiteSpace();
        if (endsLine)
            EndLine();
    }

    private Line BeginLine(int start)
    {
        var line = _source.AsSpan(start);
        if (line.IndexOf('\n') is var end and >= 0)
            line = line[..end];
        _lineStart = _output.Length;
        _isBlank = true;
        var outdent = Outdent(line);
        var indent = Indent(line);

        return new(outdent, indent, line[outdent..indent].ToString(), line[indent..].StartsWith('#'));
    }

    private void EndLine()
    {
        // A line that had only tags must not leave spaces, because Markdown could read them as indentation.
        if (_line is { HidesSource: true } && _isBlank)
        {
            _output.Length = _lineStart;
            BreakParagraph("");
        }
        else if (_line is not null)
        {
            _output.Append('\n');
        }

        _line = null;
    }

    private void WriteAdmonition(ReadOnlySpan<char> line)
    {
        var start = MdxScanner.PrefixLength(line);
        var prefix = line[Math.Min(Outdent(line), start)..start];
        var rest = line[start..].TrimStart(':').Trim();
        BreakParagraph(prefix);
        if (rest.IsEmpty)
            return;

        // The page shows the author's title, or the keyword if there is none.
        var name = rest.IndexOfAny("[{ ") is var end and >= 0 ? rest[..end] : rest;
        var title = AdmonitionTitle(rest[name.Length..]);
        _output.Append(prefix).Append("**").Append(title.IsEmpty ? CultureInfo.InvariantCulture.TextInfo.ToTitleCase(name.ToString()) : title).Append("**\n");
        BreakParagraph(prefix);
    }

    private static ReadOnlySpan<char> AdmonitionTitle(ReadOnlySpan<char> rest)
    {
        if (rest.StartsWith('['))
        {
            var close = rest.LastIndexOf(']');

            return close < 0 ? rest[1..] : rest[1..close].Trim();
        }

        var attributes = rest.IndexOf('{');

        return (attributes < 0 ? rest : rest[..attributes]).Trim();
    }

    private void WriteComment(Line line, ReadOnlySpan<char> text, int end)
    {
        line.HidesSource = true;

        // Since Docusaurus 3.10, a heading's id may be in a comment.
        var comment = (text[0] == '{' ? text[3..^3] : text[4..^3]).Trim();
        if (!comment.StartsWith('#') || comment.Length == 1 || !(line.IsHeading || IsUnderlined(end)))
            return;

        _output.Append("{#").Append(comment[1..(comment.IndexOf(' ') is var space and > 0 ? space : comment.Length)]).Append('}');
        _isBlank = false;
    }

    /// <summary>True if only the underline of a heading follows.</summary>
    private bool IsUnderlined(int end)
    {
        var rest = _source.AsSpan(end);
        var line = rest.IndexOf('\n');
        if (line < 0 || !rest[..line].IsWhiteSpace())
            return false;

        rest = rest[(line + 1)..];
        var next = (rest.IndexOf('\n') is var close and >= 0 ? rest[..close] : rest).Trim(" \t>");

        return !next.IsEmpty && (next.IndexOfAnyExcept('-') < 0 || next.IndexOfAnyExcept('=') < 0);
    }

    private void WriteTag(Line line, ReadOnlySpan<char> text)
    {
        line.HidesSource = true;
        var isClosing = text[1] == '/';
        var name = text[(isClosing ? 2 : 1)..];
        name = name[..name.IndexOfAnyExcept(TagName)];
        var tag = name.ToString();
        var isInline = InlineTags.Contains(tag);

        if (_isBlank && !isInline)
        {
            _output.Length = _lineStart;
            BreakParagraph("");
            _output.Append(line.Indentation);
            Nest(tag, isClosing, isSelfClosing: text[^2] == '/', line.Indent);
        }
        else if (tag is "br" || (!isInline && tag.Length > 0 && char.IsAsciiLetterLower(tag[0])))
        {
            // HTML block tags separate words (cells, items), but components may be part of a sentence.
            _output.Append(' ');
        }

        if (tag is "TabItem" && !isClosing && TabLabel(text) is { Length: > 0 } label)
        {
            _output.Append("**").Append(label).Append("**\n\n");
            _lineStart = _output.Length;
            _isBlank = true;
            _output.Append(line.Indentation);
        }
    }

    private void Nest(string tag, bool isClosing, bool isSelfClosing, int indent)
    {
        if (isClosing)
        {
            var index = _open.FindLastIndex(element => element.Name == tag);
            if (index >= 0)
                _open.RemoveRange(index, _open.Count - index);
        }
        else if (!isSelfClosing && !ChildlessTags.Contains(tag))
        {
            _open.Add(new(tag, indent));
        }
    }

    private static string? TabLabel(ReadOnlySpan<char> tag)
    {
        var text = tag.ToString();
        var match = LabelAttribute().Match(text) is { Success: true } label ? label : ValueAttribute().Match(text);

        return match.Success ? match.Groups["text"].Value.Trim() : null;
    }

    [GeneratedRegex("""\slabel\s*=\s*\{?\s*["'`](?<text>[^"'`{}<>]*)["'`]""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex LabelAttribute();

    [GeneratedRegex("""\svalue\s*=\s*\{?\s*["'`](?<text>[^"'`{}<>]*)["'`]""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex ValueAttribute();

    [GeneratedRegex(@"^[^\n]*mdx-code-block[ \t]*\n(?<content>[\s\S]*?)(\n[ \t>]*(`{3,}|~{3,})[ \t]*)?\n?$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex MdxBlock();

    /// <summary>A line of code that only tells Docusaurus which lines to highlight, in the comments of any language.</summary>
    [GeneratedRegex(@"^[\s>]*(//|/\*|\{\s*/\*|#|<!--|--|;+|%|'|!|\(\*|\*>|rem\b|_)\s*highlight-(next-line|start|end)\s*(\*/\s*\}?|-->|\*\))?\s*$", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex MagicComment();

    [GeneratedRegex(@"\{[\d,-]+\}", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex HighlightedLines();

    private static int Indent(ReadOnlySpan<char> line) => line.Length - line.TrimStart(" \t").Length;

    /// <summary>How much of a line's indentation is due to the JSX elements around it, which are removed.</summary>
    private int Outdent(ReadOnlySpan<char> line)
    {
        var indent = Indent(line);
        if (_open.Count == 0 || indent == line.Length)
            return 0;

        var inner = _open[^1];
        inner.ContentIndent ??= indent;

        return Math.Clamp(inner.ContentIndent.Value - _open[0].Indent, 0, indent);
    }

    private void BreakParagraph(ReadOnlySpan<char> prefix)
    {
        if (prefix.Contains('>'))
        {
            _output.Append(prefix.TrimEnd()).Append('\n');
            return;
        }

        if (_output.Length > 0 && _output[^1] != '\n')
            _output.Append('\n');
        if (_output.Length > 0 && _output is not [.., '\n', '\n'])
            _output.Append('\n');

        _lineStart = _output.Length;
    }

    /// <summary>A line of the source. It continues after tags and comments that span lines.</summary>
    private sealed record Line(int Outdent, int Indent, string Indentation, bool IsHeading)
    {
        public bool HidesSource { get; set; }
    }

    private sealed class Element(string name, int indent)
    {
        public string Name { get; } = name;

        public int Indent { get; } = indent;

        public int? ContentIndent { get; set; }
    }
}
