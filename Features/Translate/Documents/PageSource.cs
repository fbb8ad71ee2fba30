using System.Text;

namespace ChatBackend.Features.Translate.Documents;

/// <summary>A text as it was given, and the same text as it is parsed: without a byte order mark and with line feeds only.</summary>
internal sealed class PageSource
{
    private readonly int _start;
    private readonly List<int> _carriageReturns = [];

    public PageSource(string original)
    {
        Original = original;
        _start = original.StartsWith('\uFEFF') ? 1 : 0;
        var text = new StringBuilder(original.Length);
        for (var index = _start; index < original.Length; index++)
        {
            if (original[index] != '\r')
            {
                text.Append(original[index]);
            }
            else if (index + 1 < original.Length && original[index + 1] == '\n')
            {
                _carriageReturns.Add(text.Length);
            }
            else
            {
                // To Markdown, a lone carriage return ends a line too.
                text.Append('\n');
            }
        }

        Text = text.ToString();
    }

    public string Original { get; }

    /// <summary>All offsets of segments are offsets in this text.</summary>
    public string Text { get; }

    /// <summary>The original characters of a part of <see cref="Text"/>, with their line ends.</summary>
    public string Slice(int start, int end) => Original[ToOriginal(start)..ToOriginal(end)];

    /// <summary>The original with some parts replaced. Everything else stays as it is.</summary>
    /// <param name="edits">Do not overlap; an insertion has <c>Start == End</c>.</param>
    public string With(IEnumerable<(int Start, int End, string Text)> edits) => Write(edits, 0, Original.Length);

    /// <summary>A part of the original, within which all the edits are.</summary>
    public string With(IEnumerable<(int Start, int End, string Text)> edits, int start, int end) => Write(edits, ToOriginal(start), ToOriginal(end));

    private string Write(IEnumerable<(int Start, int End, string Text)> edits, int done, int last)
    {
        var result = new StringBuilder(last - done);
        foreach (var (start, end, text) in edits.OrderBy(edit => edit.Start).ThenBy(edit => edit.End))
        {
            result.Append(Original, done, ToOriginal(start) - done).Append(text);
            done = ToOriginal(end);
        }

        return result.Append(Original, done, last - done).ToString();
    }

    /// <summary>The number of the line, from 1.</summary>
    public int Line(int offset) => Text.AsSpan(0, offset).Count('\n') + 1;

    private int ToOriginal(int offset)
    {
        var before = _carriageReturns.BinarySearch(offset);

        return _start + offset + (before < 0 ? ~before : before);
    }
}
