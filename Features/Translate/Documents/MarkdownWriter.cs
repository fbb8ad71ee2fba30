using System.Buffers;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace ChatBackend.Features.Translate.Documents;

/// <summary>Writes translated prose as Markdown that is read back as the same prose: what would be markup is escaped.</summary>
internal sealed partial class MarkdownWriter
{
    /// <summary>Ends what looks like markup only at the end of these, or needs a space between two of them.</summary>
    private const string Delimiters = "`*_~$";

    private static readonly SearchValues<char> EndOfAddress = SearchValues.Create(".,;:!?)\"'");

    private readonly PageSource _source;
    private readonly bool _inTable;
    private readonly List<Part> _parts = [];

    private MarkdownWriter(PageSource source, bool inTable) => (_source, _inTable) = (source, inTable);

    /// <param name="beginsBlock">The prose is the beginning of a line's content.</param>
    public static string Write(PageSource source, IReadOnlyList<PageNode> nodes, bool inTable, bool beginsBlock)
    {
        var writer = new MarkdownWriter(source, inTable);
        writer.Add(nodes);
        var text = writer.Join().Trim(' ');
        // A heading may end with number signs that are not shown.
        if (text.EndsWith('#'))
            text = text.Insert(text.Length - 1, "\\");

        return beginsBlock && writer._parts.Find(part => !string.IsNullOrWhiteSpace(part.Text)) is { Kind: PartKind.Text } ? EscapeBlock(text) : text;
    }

    private void Add(IReadOnlyList<PageNode> nodes)
    {
        foreach (var node in nodes)
        {
            switch (node)
            {
                case TextNode text:
                    _parts.Add(new(PartKind.Text, Escape(text.Text)));
                    break;
                case OpaqueNode opaque:
                    _parts.Add(new(opaque.Kind == OpaqueKind.Address ? PartKind.Address : PartKind.Item, _source.Slice(opaque.Start, opaque.End)));
                    break;
                case PairNode pair:
                    AddPair(pair);
                    break;
            }
        }
    }

    private void AddPair(PairNode pair)
    {
        var isEmphasis = pair.Kind == PairKind.Emphasis;
        var first = pair.Children.Count > 0 ? pair.Children[0] as TextNode : null;
        // Emphasis cannot begin or end with a space.
        if (isEmphasis && first is not null && char.IsWhiteSpace(first.Text[0]))
            _parts.Add(new(PartKind.Text, " "));
        _parts.Add(new(isEmphasis ? PartKind.Open : PartKind.Item, _source.Slice(pair.Start, pair.Inner)));

        var begin = _parts.Count;
        Add(pair.Children);
        var endsWithSpace = false;
        if (isEmphasis && _parts.Count > begin)
        {
            if (_parts[begin].Kind == PartKind.Text)
                _parts[begin] = _parts[begin] with { Text = _parts[begin].Text.TrimStart() };
            endsWithSpace = _parts[^1].Kind == PartKind.Text && _parts[^1].Text.EndsWith(' ');
            if (endsWithSpace)
                _parts[^1] = _parts[^1] with { Text = _parts[^1].Text.TrimEnd() };
        }

        _parts.Add(new(isEmphasis ? PartKind.Close : PartKind.Item, pair.Closing ?? _source.Slice(pair.InnerEnd, pair.End))
        {
            EndsWithPunctuation = _parts[^1].Text is [.., var end] && IsPunctuation(end),
        });
        if (endsWithSpace)
            _parts.Add(new(PartKind.Text, " "));
    }

    private string Join()
    {
        var text = new StringBuilder();
        Part? last = null;
        for (var index = 0; index < _parts.Count; index++)
        {
            var part = _parts[index];
            if (part.Text.Length == 0)
                continue;

            if (text.Length > 0 && NeedsSpace(last!, text, part, NextCharacter(index)))
                text.Append(' ');
            // An exclamation mark would make the link an image.
            if (text.Length > 0 && text[^1] == '!' && part.Text[0] == '[' && part.Kind != PartKind.Text)
                text.Insert(text.Length - 1, '\\');

            text.Append(part.Text);
            last = part;
        }

        return text.ToString();
    }

    private char? NextCharacter(int index)
    {
        for (var next = index + 1; next < _parts.Count; next++)
        {
            if (_parts[next].Text.Length > 0)
                return _parts[next].Text[0];
        }

        return null;
    }

    /// <summary>True where two parts would be read as something else without a space between them.</summary>
    private static bool NeedsSpace(Part last, StringBuilder text, Part part, char? inside)
    {
        var first = part.Text[0];
        var before = text[^1];
        if (char.IsWhiteSpace(before) || char.IsWhiteSpace(first))
            return false;
        if (last.Kind != PartKind.Text && part.Kind != PartKind.Text && before == first && Delimiters.Contains(first) && (last.Kind, part.Kind) is not ((PartKind.Open, PartKind.Open) or (PartKind.Close, PartKind.Close)))
            return true;
        // A label or a target would belong to the link or the footnote's mark before it.
        if (last.Kind != PartKind.Text && before == ']' && (first is '[' or '(' or ':'))
            return true;
        // Some parsers read no formula where a letter stands beside it, even behind a tag.
        if (part.Kind == PartKind.Item && first == '$')
            return !IsPunctuation(before) || before == '>';
        if (last.Kind == PartKind.Item && before == '$')
            return !IsPunctuation(first) || first == '<';
        if (last.Kind == PartKind.Address)
            return part.Kind == PartKind.Text ? !EndsAddress(part.Text) : part.Kind != PartKind.Close;
        if (part.Kind == PartKind.Address)
            return before is not ('(' or '[' or '*' or '_' or '~') && !(before is '"' or '\'' or '“' or '‘' or '«' && (text.Length == 1 || char.IsWhiteSpace(text[^2])));
        if (part.Kind == PartKind.Open)
            return first == '_' ? !IsPunctuation(before) : inside is { } next && IsPunctuation(next) && !IsPunctuation(before);
        if (last.Kind == PartKind.Close)
            return last.Text[0] == '_' ? !IsPunctuation(first) : last.EndsWithPunctuation && !IsPunctuation(first);

        return false;
    }

    /// <summary>True for punctuation with a space behind it, which no parser takes into the address before it.</summary>
    private static bool EndsAddress(string text)
    {
        var length = text.AsSpan().IndexOfAnyExcept(EndOfAddress);

        return length < 0 || (length > 0 && char.IsWhiteSpace(text[length]));
    }

    private static bool IsPunctuation(char character) => char.IsPunctuation(character) || char.IsSymbol(character);

    private string Escape(string text)
    {
        var result = new StringBuilder(text.Length + 8);
        for (var index = 0; index < text.Length; index++)
        {
            var character = text[index];
            if (char.IsControl(character) || char.IsWhiteSpace(character) && character is not '\u00A0' and not '\u202F' || character is '\u2028' or '\u2029')
                character = ' ';
            if (character == ' ' && result.Length > 0 && result[^1] == ' ')
                continue;

            var isMarkup = character switch
            {
                '\\' or '`' or '<' or '{' or '}' or '[' or ']' or '*' or '~' or '$' => true,
                '_' => !(IsWord(text, index - 1) && IsWord(text, index + 1)),
                '|' => _inTable,
                '&' => Entity().IsMatch(text[index..Math.Min(text.Length, index + 40)]),
                _ => false,
            };
            if (isMarkup)
                result.Append('\\');
            result.Append(character);
        }

        return result.ToString();
    }

    private static bool IsWord(string text, int index) => index >= 0 && index < text.Length && char.IsLetterOrDigit(text[index]);

    private static string EscapeBlock(string text)
    {
        if (text.Length == 0)
            return text;
        if (Module().IsMatch(text))
            return string.Create(CultureInfo.InvariantCulture, $"&#{(int)text[0]};{text[1..]}");
        if (ListNumber().Match(text) is { Success: true } number)
            return text.Insert(number.Length - 1, "\\");

        return text[0] is '#' or '>' or '+' or '-' or '=' or '|' || text.StartsWith("::", StringComparison.Ordinal) ? $"\\{text}" : text;
    }

    [GeneratedRegex(@"^&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,31});", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: Segment.LongestMatch)]
    private static partial Regex Entity();

    [GeneratedRegex("^(import|export)(?![A-Za-z0-9_])", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: Segment.LongestMatch)]
    private static partial Regex Module();

    [GeneratedRegex(@"^[0-9]{1,9}[.)]", RegexOptions.None, matchTimeoutMilliseconds: Segment.LongestMatch)]
    private static partial Regex ListNumber();

    private enum PartKind
    {
        Text,
        Item,
        Address,
        Open,
        Close,
    }

    private sealed record Part(PartKind Kind, string Text)
    {
        public bool EndsWithPunctuation { get; init; }
    }
}
