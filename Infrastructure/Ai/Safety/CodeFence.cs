using System.Text;
using System.Text.RegularExpressions;

namespace ChatBackend.Infrastructure.Ai.Safety;

/// <summary>
/// A block of fenced code, rewritten so that all parsers agree where it ends. In a list or a quote, parsers end it at a line
/// that is indented or quoted less than the first: such a line is indented, or the fence is closed before it.
/// </summary>
internal sealed partial class CodeFence
{
    /// <summary>A longer line does not open a fence, so that no more of a line needs to be held back.</summary>
    public const int LongestLine = 300;

    /// <summary>A deeper indentation does not open a fence: each line of the code would have to repeat it.</summary>
    private const int MostColumns = 32;

    private readonly string _run;
    private readonly string _prefix;
    private readonly int _quotes;
    private readonly int _indent;

    private CodeFence(string columns, string run, string info)
    {
        _run = run;
        _prefix = NotQuoteMarks().Replace(columns, " ");
        _quotes = _prefix.Count(c => c == '>');
        _indent = _prefix.Length - _prefix.LastIndexOf('>') - 1;
        Opening = columns + run + UnsafeInfo().Replace(info, "").TrimEnd();
        NeedsBlankLine = !PlainPrefix().IsMatch(columns);
    }

    public string Opening { get; }

    public string Closing => _prefix + _run;

    /// <summary>After a line of text, some parsers take the opening for more text.</summary>
    public bool NeedsBlankLine { get; }

    public static bool MayOpen(string beginning) => beginning.Length < LongestLine && OpeningBeginning().IsMatch(beginning);

    public static CodeFence? Open(string line) =>
        line.Length < LongestLine && OpeningLine().Match(line) is { Success: true, Groups: var groups }
        && ExpandTabs(groups["prefix"].Value) is { Length: <= MostColumns } columns
            ? new(columns, groups["run"].Value, groups["info"].Value)
            : null;

    public static bool MayClose(string beginning) => beginning.Length < LongestLine && ClosingBeginning().IsMatch(beginning);

    /// <summary>The line with the fence's own indentation and quote marks; null when the code has ended before it.</summary>
    public string? Inside(string line)
    {
        var at = 0;
        for (var quote = 0; quote < _quotes; quote++)
        {
            while (at < line.Length && line[at] is ' ' or '\t')
                at++;
            if (at == line.Length || line[at++] != '>')
                return null;
        }

        var column = 0;
        for (; column < _indent && at < line.Length && line[at] is ' ' or '\t'; at++)
            column += line[at] == '\t' ? 4 - column % 4 : 1;

        return at == line.Length ? _prefix.TrimEnd() : _prefix + new string(' ', Math.Max(0, column - _indent)) + line[at..];
    }

    /// <summary>Whether the line, from <see cref="Inside"/>, closes the fence, also for parsers that are less strict than CommonMark.</summary>
    public bool Closes(string line) =>
        line.AsSpan(Math.Min(_prefix.Length, line.Length)).TrimStart() is var text
        && text.StartsWith(_run) && text.TrimStart("`~ \t").IsEmpty;

    private static string ExpandTabs(string text)
    {
        var columns = new StringBuilder();
        foreach (var character in text)
            columns.Append(character == '\t' ? ' ' : character, character == '\t' ? 4 - columns.Length % 4 : 1);
        return columns.ToString();
    }

    [GeneratedRegex("^(?<prefix>(?:[ \t>]|(?:[-+*]|[0-9]{1,9}[.)])(?=[ \t]))*)(?<run>`{3,}(?=[^`]*$)|~{3,})(?<info>.*)$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex OpeningLine();

    [GeneratedRegex("^[-+*0-9.) \t>]*(?:`+[^`]*|~+.*)?$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex OpeningBeginning();

    [GeneratedRegex("^[ \t>]*[`~]*[`~ \t]*$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex ClosingBeginning();

    [GeneratedRegex("^ {0,3}(?:> {0,4})*$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex PlainPrefix();

    [GeneratedRegex("[^>]", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex NotQuoteMarks();

    [GeneratedRegex("""[^\w+#.,:=/{}"' -]""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex UnsafeInfo();
}
