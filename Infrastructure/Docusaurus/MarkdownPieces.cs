using System.Text;
using ChatBackend.Infrastructure.Ai;
using Markdig.Extensions.Mathematics;
using Markdig.Extensions.Tables;
using Markdig.Syntax;

namespace ChatBackend.Infrastructure.Docusaurus;

/// <summary>Divides the blocks of a Markdown page into pieces that fit a token budget, at natural boundaries.</summary>
/// <remarks>A block extends to the first line of the next block, so no text is lost.</remarks>
internal sealed class MarkdownPieces
{
    private readonly string _text;
    private readonly List<int> _lineStarts = [0];
    private readonly int _budget;

    /// <param name="text">The Markdown that the syntax tree was parsed from.</param>
    public MarkdownPieces(string text, int budget)
    {
        _text = text;
        _budget = budget;

        for (var index = text.IndexOf('\n'); index >= 0; index = text.IndexOf('\n', index + 1))
            _lineStarts.Add(index + 1);
    }

    public int LineCount => _lineStarts.Count;

    public IEnumerable<string> Of(Block block, int startLine, int endLine)
    {
        var text = Lines(startLine, endLine);

        if (text.Length == 0)
            return [];

        if (TokenEstimate.Of(text) <= _budget)
            return [text];

        return block switch
        {
            MathBlock => CutFenced(text, closing: "$$"),
            FencedCodeBlock code => CutFenced(text, new string(code.FencedChar, Math.Max(3, code.OpeningFencedCharCount))),
            Table => CutTable(text),
            ContainerBlock { Count: > 0 } container => Children(container, startLine, endLine),
            _ => CutProse(text),
        };
    }

    /// <summary>The lines without leading and trailing blank lines. The end is exclusive.</summary>
    public string Lines(int startLine, int endLine)
    {
        if (startLine >= endLine || startLine >= LineCount)
            return "";

        var start = _lineStarts[startLine];
        var end = endLine < LineCount ? _lineStarts[endLine] : _text.Length;
        var text = _text[start..end].TrimEnd();

        // TrimStart would remove the first line's indentation, which matters in a nested list or code block.
        var blank = text.Length - text.TrimStart().Length;

        return blank == 0 ? text : text[(text.LastIndexOf('\n', blank - 1) + 1)..];
    }

    private IEnumerable<string> Children(ContainerBlock container, int startLine, int endLine)
    {
        var children = container.OrderBy(child => child.Line).ToList();

        for (var index = 0; index < children.Count; index++)
        {
            var start = index == 0 ? startLine : children[index].Line;
            var end = index + 1 < children.Count ? children[index + 1].Line : endLine;

            foreach (var piece in Of(children[index], start, end))
                yield return piece;
        }
    }

    /// <summary>Divides a code or math block that exceeds the budget. Each part gets the fences of the whole.</summary>
    private List<string> CutFenced(string text, string closing)
    {
        var lines = text.Split('\n');
        var opening = lines[0];
        var indent = opening[..^opening.TrimStart(' ', '\t').Length];
        var isClosed = lines.Length > 1 && lines[^1].TrimStart(' ', '\t', '>').StartsWith(closing, StringComparison.Ordinal);
        var body = isClosed ? lines[1..^1] : lines[1..];
        var frame = $"{opening}\n\n{indent}{closing}";

        // An opening line that takes up the budget (a formula in one line) cannot be repeated.
        var left = _budget - TokenEstimate.Of(frame) - 1;
        if (body.Length == 0 || left < _budget / 2)
            return CutProse(text);

        return [.. Group(body, left).Select(part => $"{opening}\n{part}\n{indent}{closing}")];
    }

    private List<string> CutTable(string text)
    {
        var lines = text.Split('\n');
        if (lines.Length < 3)
            return CutProse(text);

        var header = $"{lines[0]}\n{lines[1]}";
        var left = _budget - TokenEstimate.Of(header) - 1;
        if (left < _budget / 2)
            return CutProse(text);

        return [.. Group(lines[2..], left).Select(part => $"{header}\n{part}")];
    }

    /// <summary>Groups lines into parts of similar size, to avoid a short last part.</summary>
    private static IEnumerable<string> Group(IEnumerable<string> lines, int budget)
    {
        List<string> fitting = [.. lines.SelectMany(line => TokenEstimate.Of(line) <= budget ? [line] : CutAnywhere(line, budget))];
        var longest = fitting.Max(line => TokenEstimate.Of(line) + 1);
        if (longest > budget / 2)
            return Pack(fitting, "\n", budget).Where(part => !string.IsNullOrWhiteSpace(part));

        var total = fitting.Sum(line => TokenEstimate.Of(line) + 1);
        var parts = (total / (budget - longest)) + 1;
        var before = 0;

        return fitting
            .GroupBy(line =>
            {
                var part = (int)((long)before * parts / total);
                before += TokenEstimate.Of(line) + 1;

                return part;
            })
            .Select(part => string.Join('\n', part))
            .Where(part => !string.IsNullOrWhiteSpace(part));
    }

    private List<string> CutProse(string text) =>
        [.. Pack(Sentences(text).SelectMany(sentence => TokenEstimate.Of(sentence) <= _budget ? [sentence] : CutAnywhere(sentence, _budget)), "", _budget)
            .Select(part => part.Trim())
            .Where(part => part.Length > 0)];

    /// <summary>Each sentence ends with the space after it, so the joined sentences are the text again.</summary>
    public static IEnumerable<string> Sentences(string text)
    {
        var start = 0;

        for (var index = 0; index < text.Length - 1; index++)
        {
            var isEnd = text[index] is '.' or '!' or '?' or '\u06D4' or '\u061F' or '\u0964' ? char.IsWhiteSpace(text[index + 1])
                : text[index] is '\u3002' or '\uFF01' or '\uFF1F';
            if (!isEnd)
                continue;

            var next = index + 1;
            while (next < text.Length && char.IsWhiteSpace(text[next]))
                next++;

            yield return text[start..next];
            start = next;
            index = next - 1;
        }

        if (start < text.Length)
            yield return text[start..];
    }

    /// <summary>Divides between words if possible, else between characters.</summary>
    private static IEnumerable<string> CutAnywhere(string text, int budget)
    {
        for (var start = 0; start < text.Length;)
        {
            var length = TokenEstimate.PrefixLength(text.AsSpan(start), budget);
            if (start + length < text.Length)
            {
                var space = text.AsSpan(start, length).LastIndexOfAny(" \t\n");
                if (space > length / 2)
                    length = space + 1;
            }

            yield return text.Substring(start, length);
            start += length;
        }
    }

    private static IEnumerable<string> Pack(IEnumerable<string> parts, string separator, int budget)
    {
        var packed = new StringBuilder();
        var tokens = 0;

        foreach (var part in parts)
        {
            // A separator counts as one token.
            var more = TokenEstimate.Of(part) + separator.Length;
            if (packed.Length > 0 && tokens + more > budget)
            {
                yield return packed.ToString();
                packed.Clear();
                tokens = 0;
            }

            if (packed.Length > 0)
                packed.Append(separator);
            packed.Append(part);
            tokens += more;
        }

        if (packed.Length > 0)
            yield return packed.ToString();
    }
}
