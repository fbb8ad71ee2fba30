using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace ChatBackend.Infrastructure.Docusaurus;

/// <summary>
/// Turns a Docusaurus page (MDX with admonitions) into plain Markdown with the same text: imports, exports, comments and JSX
/// tags go; the words between tags, tab labels and admonition titles stay; code and math are not touched.
/// </summary>
/// <remarks>
/// Runs in time linear in the page: what has no end (a tag, a comment) is text, and searching for ends has a total allowance.
/// </remarks>
internal sealed partial class MdxText
{
    private const int LongestTag = 20_000;
    private const int LongestCodeSpan = 2_000;

    private static readonly SearchValues<char> Special = SearchValues.Create("\\`$<{\n");

    private static readonly HashSet<string> InlineTags = new(StringComparer.Ordinal)
    {
        "a", "abbr", "b", "bdi", "bdo", "br", "cite", "code", "del", "dfn", "em", "i", "img", "input", "ins", "kbd", "label", "mark",
        "q", "s", "samp", "small", "span", "strong", "sub", "sup", "time", "u", "var", "wbr",
    };

    private static readonly HashSet<string> VoidTags = new(StringComparer.Ordinal) { "br", "hr", "img", "input", "wbr", "source", "meta", "link", "col" };

    private static readonly HashSet<string> WordlessTags = new(StringComparer.Ordinal) { "script", "style", "svg" };

    private readonly string _source;
    private readonly StringBuilder _output;
    private readonly List<Element> _open = [];
    private int _position;
    private int _lineStart;
    private int _admonitions;
    private int _allowance = 4_000_000;
    private bool _noCommentEnd;
    private bool _noHtmlCommentEnd;
    private bool _noModuleEnd;

    private MdxText(string source)
    {
        _source = source;
        _output = new(source.Length);
    }

    /// <param name="source">The page without its front matter, with line feeds only.</param>
    public static string ToMarkdown(string source)
    {
        var text = new MdxText(source);

        while (text._position < source.Length)
        {
            if (!text.TryFence() && !text.TryMath() && !text.TryModule() && !text.TryAdmonition())
                text.CopyLine();
        }

        return text._output.ToString();
    }

    private int LineEnd(int from) => _source.IndexOf('\n', from) is var end and >= 0 ? end : _source.Length;

    private ReadOnlySpan<char> Line(int from) => _source.AsSpan(from, LineEnd(from) - from);

    /// <summary>A line as it is, but for the indentation that only shows its place in the JSX around it.</summary>
    private void CopyRaw()
    {
        var line = Line(_position);
        _output.Append(line[Outdent(line)..]).Append('\n');
        _position = Math.Min(_position + line.Length + 1, _source.Length);
    }

    private bool TryFence()
    {
        var line = Line(_position);
        var start = PrefixLength(line, withListMarkers: true);
        if (start == line.Length || line[start] is not ('`' or '~') || RunLength(line, start) < 3)
            return false;

        var mark = line[start];
        var length = RunLength(line, start);
        if (mark == '`' && line[(start + length)..].Contains('`'))
            return false;

        var quoted = line[..start].Contains('>');
        CopyRaw();

        while (_position < _source.Length)
        {
            line = Line(_position);
            if (quoted && !line.TrimStart().StartsWith('>'))
                return true;

            var end = PrefixLength(line, withListMarkers: false);
            var closes = end < line.Length && line[end] == mark && RunLength(line, end) >= length && line[(end + RunLength(line, end))..].IsWhiteSpace();
            CopyRaw();
            if (closes)
                return true;
        }

        return true;
    }

    private bool TryMath()
    {
        var line = Line(_position);
        var start = PrefixLength(line, withListMarkers: false);
        if (!line[start..].StartsWith("$$"))
            return false;

        if (line[(start + 2)..].Contains("$$", StringComparison.Ordinal))
        {
            CopyRaw();
            return true;
        }

        var end = _source.IndexOf("$$", _position + start + 2, StringComparison.Ordinal);
        if (end < 0)
            return false;

        while (_position <= end)
            CopyRaw();

        return true;
    }

    // An import or export begins a block at the margin and ends at a blank line outside its brackets.
    private bool TryModule()
    {
        if (!IsModule(Line(_position)) || (!EndsWith("\n\n") && !IsBlankFrom(0)))
            return false;

        var depth = 0;
        int? firstBlank = null;

        for (var line = _position; line < _source.Length; line = Math.Min(LineEnd(line) + 1, _source.Length))
        {
            var text = Line(line);
            if (text.IsWhiteSpace() || (depth <= 0 && text.StartsWith('#')))
            {
                firstBlank ??= line;
                if (depth <= 0 || _noModuleEnd)
                {
                    _position = line;
                    return true;
                }
            }

            foreach (var character in text)
                depth += character is '(' or '[' or '{' ? 1 : character is ')' or ']' or '}' ? -1 : 0;
        }

        _noModuleEnd = depth > 0;
        _position = depth <= 0 ? _source.Length : firstBlank ?? _source.Length;

        return true;
    }

    private static bool IsModule(ReadOnlySpan<char> line)
    {
        if (line.StartsWith("import "))
        {
            var rest = line[7..].TrimStart();

            return rest.Length > 0 && (rest[0] is '\'' or '"' or '{' or '*' || rest.Contains(" from ", StringComparison.Ordinal));
        }

        if (!line.StartsWith("export "))
            return false;

        var word = line[7..].TrimStart();

        return word.StartsWith("default ") || word.StartsWith("const ") || word.StartsWith("let ") || word.StartsWith("var ")
            || word.StartsWith("function ") || word.StartsWith("class ") || word.StartsWith("async ") || word.StartsWith("{") || word.StartsWith("* from");
    }

    private bool TryAdmonition()
    {
        var line = Line(_position);
        var start = PrefixLength(line, withListMarkers: false);
        var colons = start < line.Length && line[start] == ':' ? RunLength(line, start) : 0;
        if (colons < 3)
            return false;

        var prefix = line[Math.Min(Outdent(line), start)..start];
        var rest = line[(start + colons)..].Trim();
        if (rest.IsEmpty)
        {
            if (_admonitions == 0)
                return false;

            _admonitions--;
            BreakParagraph(prefix);
        }
        else
        {
            var name = 0;
            while (name < rest.Length && (char.IsAsciiLetterOrDigit(rest[name]) || rest[name] is '-' or '_'))
                name++;

            if (name == 0 || (name < rest.Length && rest[name] is not ('[' or '{' or ' ')))
                return false;

            _admonitions++;
            BreakParagraph(prefix);

            // As the page shows it: the author's title, or the keyword.
            var title = AdmonitionTitle(rest[name..]);
            _output.Append(prefix).Append("**").Append(title.IsEmpty ? CultureInfo.InvariantCulture.TextInfo.ToTitleCase(rest[..name].ToString()) : title).Append("**\n");
            BreakParagraph(prefix);
        }

        _position = Math.Min(_position + line.Length + 1, _source.Length);

        return true;
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

    private void CopyLine()
    {
        var line = Line(_position);
        _lineStart = _output.Length;
        var dropped = false;
        var outdent = Outdent(line);
        var indent = line.Length - line.TrimStart(" \t").Length;
        var isHeading = line[indent..].StartsWith('#');
        _position += outdent;

        while (_position < _source.Length && _source[_position] != '\n')
        {
            var next = _source.AsSpan(_position).IndexOfAny(Special);
            if (next < 0)
                next = _source.Length - _position;
            _output.Append(_source, _position, next);
            _position += next;

            if (_position == _source.Length || _source[_position] == '\n')
                break;

            var handled = _source[_position] switch
            {
                '\\' => CopyEscape(),
                '`' => CopyCodeSpan(),
                '$' => CopyInlineMath(),
                '{' => Drop(DropComment("{/*", "*/}", isHeading, ref _noCommentEnd)),
                _ => Drop(DropComment("<!--", "-->", isHeading, ref _noHtmlCommentEnd) || DropTag(indent, line[outdent..indent])),
            };

            if (!handled)
                _output.Append(_source[_position++]);
        }

        // A line that held only tags leaves no line of spaces behind, which could look like Markdown's own indentation.
        if (dropped && IsBlankFrom(_lineStart))
        {
            _output.Length = _lineStart;
            BreakParagraph("");
        }
        else
        {
            _output.Append('\n');
        }

        _position = Math.Min(_position + 1, _source.Length);

        bool Drop(bool done)
        {
            dropped |= done;
            return done;
        }
    }

    private bool CopyEscape()
    {
        var length = _position + 1 < _source.Length && _source[_position + 1] != '\n' ? 2 : 1;
        _output.Append(_source, _position, length);
        _position += length;

        return true;
    }

    private bool CopyCodeSpan()
    {
        var length = RunLength(_source, _position);
        var window = _source.AsSpan(_position, Math.Min(LongestCodeSpan, _source.Length - _position));
        var blank = window.IndexOf("\n\n");
        if (blank >= 0)
            window = window[..blank];

        for (var index = Math.Min(length, window.Length); index < window.Length;)
        {
            if (window[index] != '`')
            {
                index++;
                continue;
            }

            var run = RunLength(window, index);
            index += run;
            if (run == length)
            {
                _output.Append(_source, _position, index);
                _position += index;

                return true;
            }
        }

        _output.Append(_source, _position, length);
        _position += length;

        return true;
    }

    private bool CopyInlineMath()
    {
        var line = Line(_position);
        if (line.Length < 3 || char.IsWhiteSpace(line[1]))
            return false;

        var close = line[1..].IndexOf('$') + 1;
        if (close <= 1 || char.IsWhiteSpace(line[close - 1]) || (close + 1 < line.Length && char.IsAsciiDigit(line[close + 1])))
            return false;

        _output.Append(line[..(close + 1)]);
        _position += close + 1;

        return true;
    }

    private bool DropComment(string open, string close, bool isHeading, ref bool noEnd)
    {
        if (noEnd || string.CompareOrdinal(_source, _position, open, 0, open.Length) != 0)
            return false;

        var end = _source.IndexOf(close, _position + open.Length, StringComparison.Ordinal);
        noEnd = end < 0;
        if (noEnd)
            return false;

        // Since Docusaurus 3.10 a heading's id may stand in a comment.
        var comment = _source.AsSpan(_position + open.Length, end - _position - open.Length).Trim();
        if (isHeading && comment.StartsWith('#') && comment.Length > 1)
            _output.Append("{#").Append(comment[1..(comment.IndexOf(' ') is var space and > 0 ? space : comment.Length)]).Append('}');

        _position = end + close.Length;

        return true;
    }

    private bool DropTag(int indent, ReadOnlySpan<char> indentation)
    {
        if (!TryReadTag(_position, out var tag))
            return false;

        var text = _source.AsSpan(_position, tag.End - _position);
        var isFlow = IsBlankFrom(_lineStart);
        var isInline = InlineTags.Contains(tag.Name);
        _position = tag.End;

        if (WordlessTags.Contains(tag.Name) && !tag.IsClosing && !tag.IsSelfClosing)
            SkipTo($"</{tag.Name}>");

        if (isFlow && !isInline)
        {
            _output.Length = _lineStart;
            BreakParagraph("");
            _output.Append(indentation);
            Nest(tag, indent);
        }
        else if (tag.Name is "br" || (!isInline && tag.Name.Length > 0 && char.IsAsciiLetterLower(tag.Name[0])))
        {
            // Cells and items that share a line; a component stands in a sentence.
            _output.Append(' ');
        }

        if (tag is { Name: "TabItem", IsClosing: false } && TabLabel(text) is { Length: > 0 } label)
        {
            _output.Append("**").Append(label).Append("**\n\n");
            _lineStart = _output.Length;
            _output.Append(indentation);
        }

        return true;
    }

    private void Nest(Tag tag, int indent)
    {
        if (tag.IsClosing)
        {
            var index = _open.FindLastIndex(element => element.Name == tag.Name);
            if (index >= 0)
                _open.RemoveRange(index, _open.Count - index);
        }
        else if (!tag.IsSelfClosing && !VoidTags.Contains(tag.Name) && !WordlessTags.Contains(tag.Name))
        {
            _open.Add(new(tag.Name, indent));
        }
    }

    private void SkipTo(string end)
    {
        var index = _allowance > 0 ? _source.IndexOf(end, _position, StringComparison.Ordinal) : -1;
        if (index < 0)
            _allowance -= _source.Length - _position;
        else
            _position = index + end.Length;
    }

    private bool TryReadTag(int start, out Tag tag)
    {
        tag = default;
        var limit = Math.Min(_source.Length, start + Math.Min(LongestTag, _allowance));
        var index = start + 1;
        var isClosing = index < limit && _source[index] == '/';
        if (isClosing)
            index++;

        var nameStart = index;
        while (index < limit && (char.IsAsciiLetterOrDigit(_source[index]) || (index > nameStart && _source[index] is '.' or '-' or ':' or '_')))
            index++;

        var name = _source[nameStart..index];
        if (name.Length > 0 && (!char.IsAsciiLetter(name[0]) || name[^1] == ':' || index >= limit || !(char.IsWhiteSpace(_source[index]) || _source[index] is '/' or '>' or '{')))
            return false;

        // Attributes: names, quoted values and {expressions}; a "<" or a comma among them means that this is no tag.
        for (; index < limit; index++)
        {
            switch (_source[index])
            {
                case '>':
                    tag = new(name, index + 1, isClosing, _source[index - 1] == '/' && !isClosing);
                    return true;
                case '"' or '\'':
                    index = _source.IndexOf(_source[index], index + 1, limit - index - 1);
                    break;
                case '{':
                    index = ExpressionEnd(index, limit);
                    break;
                case '<' or ',' or ';' or '}' or '(' or ')':
                    index = -1;
                    break;
                case '\n' when index + 1 < limit && _source[index + 1] == '\n':
                    index = -1;
                    break;
            }

            if (name.Length == 0 || index < 0)
                break;
        }

        _allowance -= Math.Max(0, (index < 0 ? limit : index) - start);

        return false;
    }

    private int ExpressionEnd(int start, int limit)
    {
        var depth = 0;

        for (var index = start; index < limit; index++)
        {
            switch (_source[index])
            {
                case '{':
                    depth++;
                    break;
                case '}' when --depth == 0:
                    return index;
                case '"' or '\'' or '`' when _source.IndexOf(_source[index], index + 1, limit - index - 1) is var end and >= 0:
                    index = end;
                    break;
            }
        }

        return -1;
    }

    private static string? TabLabel(ReadOnlySpan<char> tag)
    {
        var text = tag.ToString();
        var match = LabelAttribute().Match(text) is { Success: true } label ? label : ValueAttribute().Match(text);

        return match.Success ? match.Groups["text"].Value.Trim() : null;
    }

    [GeneratedRegex("""\slabel\s*=\s*\{?\s*["'`](?<text>[^"'`{}<>]*)["'`]""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex LabelAttribute();

    [GeneratedRegex("""\svalue\s*=\s*\{?\s*["'`](?<text>[^"'`{}<>]*)["'`]""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ValueAttribute();

    /// <summary>How many characters of a line's indentation belong to the JSX elements around it, which are gone.</summary>
    private int Outdent(ReadOnlySpan<char> line)
    {
        var indent = line.Length - line.TrimStart(" \t").Length;
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
        if (_output.Length > 0 && !EndsWith("\n\n"))
            _output.Append('\n');

        _lineStart = _output.Length;
    }

    private bool EndsWith(string end)
    {
        if (_output.Length < end.Length)
            return false;

        for (var index = 0; index < end.Length; index++)
        {
            if (_output[_output.Length - end.Length + index] != end[index])
                return false;
        }

        return true;
    }

    private bool IsBlankFrom(int start)
    {
        // A line's own text is short or begins with a letter; either ends this walk at once.
        for (var index = start; index < _output.Length; index++)
        {
            if (!char.IsWhiteSpace(_output[index]))
                return false;
        }

        return true;
    }

    private static int PrefixLength(ReadOnlySpan<char> line, bool withListMarkers)
    {
        var index = 0;

        while (index < line.Length)
        {
            if (line[index] is ' ' or '\t' or '>')
            {
                index++;
                continue;
            }

            if (!withListMarkers)
                break;

            var digits = index;
            while (digits < line.Length && digits - index < 9 && char.IsAsciiDigit(line[digits]))
                digits++;

            var isBullet = line[index] is '-' or '*' or '+';
            var isNumber = digits > index && digits < line.Length && line[digits] is '.' or ')';
            var after = isBullet ? index + 1 : digits + 1;
            if (!(isBullet || isNumber) || after >= line.Length || line[after] is not (' ' or '\t'))
                break;

            index = after + 1;
        }

        return index;
    }

    private static int RunLength(ReadOnlySpan<char> text, int start)
    {
        var end = start;

        while (end < text.Length && text[end] == text[start])
            end++;

        return end - start;
    }

    private readonly record struct Tag(string Name, int End, bool IsClosing, bool IsSelfClosing);

    private sealed class Element(string name, int indent)
    {
        public string Name { get; } = name;

        public int Indent { get; } = indent;

        public int? ContentIndent { get; set; }
    }
}
