using System.Buffers;
using System.Runtime.InteropServices;

namespace ChatBackend.Infrastructure.Docusaurus;

internal enum MdxKind
{
    /// <summary>Prose with its Markdown: a line with its line end, or the text between two other spans.</summary>
    Text,
    InlineCode,
    InlineMath,

    /// <summary>An opening, closing or self-closing tag. <c>script</c>, <c>style</c>, <c>svg</c> and <c>head</c> include their content.</summary>
    Tag,

    /// <summary><c>{/* … */}</c> or <c>&lt;!-- … --&gt;</c>.</summary>
    Comment,

    /// <summary>A plain <c>{expression}</c> or <c>{#heading-id}</c>. An expression with braces, tags or code in it is scanned as text.</summary>
    Expression,

    /// <summary>Whole lines, fences included.</summary>
    CodeBlock,

    /// <summary>Whole lines, <c>$$</c> included.</summary>
    MathBlock,

    /// <summary>Whole lines of imports and exports.</summary>
    Module,

    Admonition,
}

/// <summary><paramref name="End"/> is exclusive.</summary>
[StructLayout(LayoutKind.Auto)]
internal readonly record struct MdxSpan(MdxKind Kind, int Start, int End);

/// <summary>Divides a Docusaurus page (MDX with admonitions) into spans that cover it from beginning to end.</summary>
/// <remarks>Takes linear time: a tag or a comment without an end is text, and the search for ends is limited.</remarks>
internal sealed class MdxScanner
{
    private const int LongestCodeSpan = 2_000;

    private static readonly SearchValues<char> Special = SearchValues.Create("\\`$<{\n");
    private static readonly SearchValues<char> ExpressionStop = SearchValues.Create("\\`$<{}\n");
    private static readonly SearchValues<char> UnquotedStop = SearchValues.Create(" \t\n>\"'`=<{}");
    private static readonly HashSet<string> WordlessTags = new(["script", "style", "svg", "head", "Head"], StringComparer.Ordinal);

    private readonly string _source;
    private readonly bool _wholeExpressions;
    private readonly List<MdxSpan> _spans = [];
    private int _position;
    private int _admonitions;
    private int _lineContent;
    private int _blankLine = -1;

    // How many characters may still be read for tags that turn out not to be tags.
    private long _allowance;
    private bool _isAfterBreak = true;
    private bool _noCommentEnd;
    private bool _noHtmlCommentEnd;
    private bool _noModuleEnd;

    private MdxScanner(string source, bool wholeExpressions)
    {
        _source = source;
        _wholeExpressions = wholeExpressions;
        _allowance = 4_000_000 + (32L * source.Length);
    }

    /// <summary>Each span begins where the span before it ends.</summary>
    /// <param name="source">The page without its front matter, with line feeds only.</param>
    /// <param name="wholeExpressions">Every balanced <c>{expression}</c> is one span, whatever is in it, instead of plain ones only.</param>
    public static IReadOnlyList<MdxSpan> Scan(string source, bool wholeExpressions = false)
    {
        var scanner = new MdxScanner(source, wholeExpressions);

        while (scanner._position < source.Length)
        {
            if (!scanner.TryCodeBlock() && !scanner.TryMathBlock() && !scanner.TryModule() && !scanner.TryAdmonition())
                scanner.ScanLine();
        }

        return scanner._spans;
    }

    /// <summary>The length of a line's indentation and quote marks, and optionally of its list markers.</summary>
    public static int PrefixLength(ReadOnlySpan<char> line, bool withListMarkers = false)
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

    /// <summary>How often the character at <paramref name="start"/> is repeated.</summary>
    public static int RunLength(ReadOnlySpan<char> text, int start) =>
        text[start..].IndexOfAnyExcept(text[start]) is var length and >= 0 ? length : text.Length - start;

    private void Add(MdxKind kind, int end)
    {
        if (end > _position)
            _spans.Add(new(kind, _position, end));
        _position = end;
    }

    private int LineEnd(int from) => _source.IndexOf('\n', from) is var end and >= 0 ? end : _source.Length;

    private int NextLine(int from) => Math.Min(LineEnd(from) + 1, _source.Length);

    private ReadOnlySpan<char> Line(int from) => _source.AsSpan(from..LineEnd(from));

    private bool TryCodeBlock()
    {
        var line = Line(_position);
        var start = PrefixLength(line, withListMarkers: true);
        if (start == line.Length || line[start] is not ('`' or '~') || RunLength(line, start) is var length && length < 3)
            return false;

        var mark = line[start];
        if (mark == '`' && line[(start + length)..].Contains('`'))
            return false;

        var isQuoted = line[..start].Contains('>');
        var isClosed = false;
        var end = NextLine(_position);

        while (!isClosed && end < _source.Length)
        {
            line = Line(end);
            if (isQuoted && !line.TrimStart().StartsWith('>'))
                break;

            start = PrefixLength(line);
            isClosed = start < line.Length && line[start] == mark
                && RunLength(line, start) is var closing && closing >= length && line[(start + closing)..].IsWhiteSpace();
            end = NextLine(end);
        }

        Add(MdxKind.CodeBlock, end);
        _isAfterBreak = false;

        return true;
    }

    private bool TryMathBlock()
    {
        var line = Line(_position);
        var start = PrefixLength(line);
        if (!line[start..].StartsWith("$$"))
            return false;

        var close = _source.IndexOf("$$", _position + start + 2, StringComparison.Ordinal);
        if (close < 0)
            return false;

        Add(MdxKind.MathBlock, NextLine(close));
        _isAfterBreak = false;

        return true;
    }

    // An import or export begins a block at the left margin. It ends at a blank line outside its brackets.
    private bool TryModule()
    {
        if (!_isAfterBreak || !IsModule(Line(_position)))
            return false;

        var depth = 0;
        int? firstBlank = null;

        for (var line = _position; line < _source.Length; line = NextLine(line))
        {
            var text = Line(line);
            if (text.IsWhiteSpace() || (depth <= 0 && text.StartsWith('#')))
            {
                firstBlank ??= line;
                if (depth <= 0 || _noModuleEnd)
                {
                    Add(MdxKind.Module, line);
                    return true;
                }
            }

            foreach (var character in text)
                depth += character is '(' or '[' or '{' ? 1 : character is ')' or ']' or '}' ? -1 : 0;
        }

        _noModuleEnd = depth > 0;
        Add(MdxKind.Module, _noModuleEnd ? firstBlank ?? _source.Length : _source.Length);

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
        var start = PrefixLength(line);
        if (!line[start..].StartsWith(":::"))
            return false;

        var rest = line[(start + RunLength(line, start))..].Trim();
        var name = 0;
        while (name < rest.Length && (char.IsAsciiLetterOrDigit(rest[name]) || rest[name] is '-' or '_'))
            name++;

        var closes = rest.IsEmpty && _admonitions > 0;
        var opens = name > 0 && (name == rest.Length || rest[name] is '[' or '{' or ' ');
        if (!closes && !opens)
            return false;

        _admonitions += opens ? 1 : -1;
        _isAfterBreak = !line[..start].Contains('>');
        Add(MdxKind.Admonition, NextLine(_position));

        return true;
    }

    private void ScanLine()
    {
        var index = _position;
        var lineEnd = index;
        var shows = false;
        _lineContent = index + PrefixLength(Line(index), withListMarkers: true);

        while (_source.AsSpan(index).IndexOfAny(Special) is var next and >= 0 && _source[index + next] != '\n')
        {
            index += next;
            if (lineEnd <= index)
                lineEnd = LineEnd(index);

            var (kind, end) = Inline(index, lineEnd);
            if (kind != MdxKind.Text)
            {
                shows |= kind is not (MdxKind.Tag or MdxKind.Comment) || !_source.AsSpan(_position..index).IsWhiteSpace();
                Add(MdxKind.Text, index);
                Add(kind, end);
            }

            index = end;
        }

        index = NextLine(index);
        _isAfterBreak = !shows && _source.AsSpan(_position..index).IsWhiteSpace();
        Add(MdxKind.Text, index);
    }

    private (MdxKind Kind, int End) Inline(int start, int lineEnd)
    {
        var (kind, end) = _source[start] switch
        {
            '`' => (MdxKind.InlineCode, CodeSpanEnd(start)),
            '$' => (MdxKind.InlineMath, InlineMathEnd(start, lineEnd)),
            '{' when CommentEnd(start, "{/*", "*/}", ref _noCommentEnd) is var close and >= 0 => (MdxKind.Comment, close),
            '{' when _wholeExpressions => (MdxKind.Expression, WholeExpressionEnd(start)),
            '{' => (MdxKind.Expression, PlainExpressionEnd(start)),
            '<' when CommentEnd(start, "<!--", "-->", ref _noHtmlCommentEnd) is var close and >= 0 => (MdxKind.Comment, close),
            '<' => (MdxKind.Tag, TagEnd(start)),
            _ => (MdxKind.Text, start + 1 < lineEnd ? start + 2 : start + 1),
        };

        // An unclosed run of backticks is skipped as a whole, because its rest must not be read as a shorter run.
        return end >= 0 ? (kind, end) : (MdxKind.Text, start + (kind == MdxKind.InlineCode ? RunLength(_source, start) : 1));
    }

    private int CodeSpanEnd(int start)
    {
        var length = RunLength(_source, start);
        var window = _source.AsSpan(start, Math.Min(LongestCodeSpan, _source.Length - start));
        var blank = window.IndexOf("\n\n");
        if (blank >= 0)
            window = window[..blank];

        for (var index = Math.Min(length, window.Length); index < window.Length;)
        {
            var next = window[index..].IndexOf('`');
            if (next < 0)
                break;

            var run = RunLength(window, index + next);
            index += next + run;
            if (run == length)
                return start + index;
        }

        return -1;
    }

    private int InlineMathEnd(int start, int lineEnd)
    {
        var line = _source.AsSpan(start..lineEnd);
        if (line.Length < 3 || char.IsWhiteSpace(line[1]))
            return -1;

        var close = line[1..].IndexOf('$') + 1;

        return close <= 1 || char.IsWhiteSpace(line[close - 1]) || (close + 1 < line.Length && char.IsAsciiDigit(line[close + 1])) ? -1 : start + close + 1;
    }

    private int CommentEnd(int start, string open, string close, ref bool noEnd)
    {
        if (noEnd || string.CompareOrdinal(_source, start, open, 0, open.Length) != 0)
            return -1;

        var end = _source.IndexOf(close, start + open.Length, StringComparison.Ordinal);
        noEnd = end < 0;

        return noEnd ? -1 : end + close.Length;
    }

    private int PlainExpressionEnd(int start) =>
        _source.AsSpan(start + 1).IndexOfAny(ExpressionStop) is var length and >= 0 && _source[start + 1 + length] == '}' ? start + length + 2 : -1;

    // As with tags, MDX allows blank lines in an expression only where it begins its line.
    private int WholeExpressionEnd(int start)
    {
        var limit = Limit(start);
        var end = ExpressionEnd(start, start == _lineContent ? limit : Math.Min(limit, BlankLine(start)));

        return end < 0 ? -1 : end + 1;
    }

    private int Limit(int start) => (int)Math.Min(_source.Length, start + Math.Max(0, _allowance));

    private int TagEnd(int start)
    {
        var limit = Limit(start);
        var index = start + 1;
        var isClosing = index < limit && _source[index] == '/';
        if (isClosing)
            index++;

        var nameStart = index;
        while (index < limit && (char.IsAsciiLetterOrDigit(_source[index]) || (index > nameStart && _source[index] is '.' or '-' or ':' or '_')))
            index++;

        var name = _source[nameStart..index];
        if (index >= limit || (name.Length == 0 && _source[index] != '>'))
            return -1;
        if (name.Length > 0 && (!char.IsAsciiLetter(name[0]) || name[^1] == ':' || !(char.IsWhiteSpace(_source[index]) || _source[index] is '/' or '>' or '{')))
            return -1;

        // MDX allows blank lines in a tag only where the tag begins its line.
        var end = AttributesEnd(index, start == _lineContent ? limit : Math.Min(limit, BlankLine(start)));
        if (end < 0)
            return -1;

        return !isClosing && _source[end - 1] != '/' && WordlessTags.Contains(name) ? ElementEnd(name, end + 1) : end + 1;
    }

    private int BlankLine(int start)
    {
        if (_blankLine < start)
            _blankLine = _source.IndexOf("\n\n", start, StringComparison.Ordinal) is var blank and >= 0 ? blank : _source.Length;

        return _blankLine;
    }

    // Attributes are names, names with a value, and {expressions}. Anything else means that this is not a tag.
    private int AttributesEnd(int start, int limit)
    {
        var index = start;

        while (index < limit && _source[index] != '>')
        {
            var next = _source[index] switch
            {
                '{' => ExpressionEnd(index, limit) + 1,
                '/' => index + 1,
                var character when char.IsWhiteSpace(character) => index + 1,
                _ => AttributeEnd(index, limit) + 1,
            };
            if (next == 0)
                break;

            index = next;
        }

        if (index < limit && _source[index] == '>')
            return index;

        _allowance -= index - start;

        return -1;
    }

    /// <summary>The last character of the attribute that begins at <paramref name="start"/>.</summary>
    private int AttributeEnd(int start, int limit)
    {
        var index = start;
        while (index < limit && (char.IsLetterOrDigit(_source[index]) || _source[index] is '-' or '_' or ':' or '$' or '@'))
            index++;

        var value = index;
        while (value < limit && char.IsWhiteSpace(_source[value]))
            value++;
        if (index == start || value >= limit)
            return -1;
        if (_source[value] != '=')
            return index - 1;

        value++;
        while (value < limit && char.IsWhiteSpace(_source[value]))
            value++;
        if (value >= limit)
            return -1;

        switch (_source[value])
        {
            case '{':
                return ExpressionEnd(value, limit);
            case '"' or '\'':
                return QuoteEnd(value, limit);
            default:
                var length = _source.AsSpan(value..limit).IndexOfAny(UnquotedStop);
                return length > 0 ? value + length - 1 : -1;
        }
    }

    private int QuoteEnd(int start, int limit)
    {
        var end = _source.IndexOf(_source[start], start + 1, limit - start - 1);
        if (end < 0)
            _allowance -= limit - start;

        return end;
    }

    private int ElementEnd(string name, int tagEnd)
    {
        var close = $"</{name}>";
        var end = _allowance > 0 ? _source.IndexOf(close, tagEnd, StringComparison.Ordinal) : -1;
        if (end >= 0)
            return end + close.Length;

        _allowance -= _source.Length - tagEnd;

        return tagEnd;
    }

    // Braces in strings and comments do not count. A quote after a letter is the apostrophe of a text between tags: {<p>Don't</p>}.
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
                case '\\':
                    index++;
                    break;
                case '`' when StringEnd(index, limit) is var end and >= 0:
                    index = end;
                    break;
                case '"' or '\'' when !char.IsLetterOrDigit(_source[index - 1]) && StringEnd(index, limit) is var end and >= 0:
                    index = end;
                    break;
                case '/' when index + 1 < limit && _source[index + 1] == '*':
                    var close = _source.IndexOf("*/", index + 2, limit - index - 2, StringComparison.Ordinal);
                    index = close < 0 ? limit : close + 1;
                    break;
                case '/' when index + 1 < limit && _source[index + 1] == '/' && _source[index - 1] != ':':
                    index = Math.Min(limit, LineEnd(index)) - 1;
                    break;
            }
        }

        _allowance -= limit - start;

        return -1;
    }

    private int StringEnd(int start, int limit)
    {
        var quote = _source[start];

        for (var index = start + 1; index < limit && (quote == '`' || _source[index] != '\n'); index++)
        {
            if (_source[index] == quote)
                return index;
            if (_source[index] == '\\')
                index++;
        }

        return -1;
    }
}
