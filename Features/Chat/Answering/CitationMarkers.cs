using System.Text;
using System.Text.RegularExpressions;

namespace ChatBackend.Features.Chat.Answering;

/// <summary>Renumbers markers such as <c>[n]</c> in the order of first use while the answer streams, drops those without a passage, and splits
/// <c>[1, 3]</c> and <c>[1-2]</c>. Brackets inside code stay, because they are indexes.</summary>
/// <param name="fits">Whether a passage, by its number, fits the end of the answer so far; null to trust every marker whose passage was given.</param>
internal sealed partial class CitationMarkers(int passages, Func<string, int, bool>? fits = null)
{
    private const int LongestMarker = 24;

    /// <summary>The least text before a marker that is kept for its check, in UTF-16 code units. A check reads two statements, and each of a thousand streams holds this text.</summary>
    private const int LeastBefore = 1_000;

    private readonly StringBuilder _held = new();
    private readonly List<int> _used = [];
    private readonly StringBuilder _before = new();
    private bool _spaceHeld;
    private bool _spaceDropped;
    private int _backticks;
    private int _openCode;
    private char _last;

    /// <summary>Passage numbers as the model was given them, in the order of first use.</summary>
    public IReadOnlyList<int> Used => _used;

    /// <summary>True if a marker was dropped: its passage was not given, or does not fit.</summary>
    public bool HasDropped { get; private set; }

    /// <summary>Where the first marker of a citation ends in an answer, in UTF-16 code units; null if the text was cut before it.</summary>
    public static int? EndOf(string answer, int number)
    {
        var marker = $"[{number}]";
        var reading = new CitationMarkers(passages: 0);
        for (var at = 0; at < answer.Length; at++)
        {
            reading.FollowCode(answer[at]);
            if (reading._openCode == 0 && answer.AsSpan(at).StartsWith(marker))
                return at + marker.Length;
        }

        return null;
    }

    /// <summary>Returns what can be shown now. Text that may become a marker is held back.</summary>
    public string Push(string piece)
    {
        var shown = new StringBuilder(piece.Length);
        foreach (var character in piece)
            Take(character, shown);
        return shown.ToString();
    }

    public string Flush()
    {
        var shown = new StringBuilder();
        Release(shown);
        return shown.ToString();
    }

    private void Take(char character, StringBuilder shown)
    {
        FollowCode(character);
        if (_held.Length > 1 && character == ']')
        {
            ShowMarker(shown);
            return;
        }

        if (_held.Length is > 0 and < LongestMarker && (char.IsAsciiDigit(character) || (_held.Length > 1 && character is ',' or ';' or ' ' or '-' or '–')))
        {
            _held.Append(character);
            return;
        }

        // The space before a bracket is held back too, because it goes if the marker is dropped.
        var opens = character == '[' && _openCode == 0;
        if (!opens || _held.Length > 0)
            Release(shown);
        if (opens)
        {
            _held.Append(character);
        }
        else if (character == ' ')
        {
            _spaceHeld = true;
        }
        else
        {
            shown.Append(character);
            _before.Append(character);
            if (_before.Length > 2 * LeastBefore)
                _before.Remove(0, _before.Length - LeastBefore);
        }
    }

    private void Release(StringBuilder shown)
    {
        if (_spaceHeld)
            shown.Append(' ');
        shown.Append(_held);
        _before.Append(_spaceHeld ? " " : "").Append(_held);
        _held.Clear();
        _spaceHeld = _spaceDropped = false;
    }

    private void ShowMarker(StringBuilder shown)
    {
        var named = Numbers().Matches(_held.ToString());
        var given = named.SelectMany(Given).ToArray();
        var known = given.Where(number => fits?.Invoke(_before.ToString(), number) != false).ToArray();
        HasDropped |= known.Length < given.Length || named.Any(IsBeyond);
        _held.Clear();
        // The space before a marker that was dropped stands before the marker right after it.
        var hasSpace = _spaceHeld || _spaceDropped;
        if (known.Length > 0 && hasSpace)
            shown.Append(' ');
        _spaceDropped = known.Length == 0 && hasSpace;
        _spaceHeld = false;
        foreach (var number in known)
        {
            if (!_used.Contains(number))
                _used.Add(number);
            shown.Append('[').Append(_used.IndexOf(number) + 1).Append(']');
        }
    }

    private IEnumerable<int> Given(Match match)
    {
        var (first, last) = Range(match);
        return Enumerable.Range(1, passages).Where(n => n >= first && n <= last);
    }

    private bool IsBeyond(Match match)
    {
        var (first, last) = Range(match);
        return first < 1 || last > passages || last < first;
    }

    private static (int First, int Last) Range(Match match)
    {
        var first = Number(match.Groups["first"].ValueSpan);
        return (first, match.Groups["last"].Success ? Number(match.Groups["last"].ValueSpan) : first);

        static int Number(ReadOnlySpan<char> digits) => int.TryParse(digits, out var number) ? number : int.MaxValue;
    }

    [GeneratedRegex("(?<first>[0-9]+)(?: *[-–] *(?<last>[0-9]+))?", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Numbers();

    // A run of backticks is closed by a run of the same length. Inline code also ends with its paragraph.
    private void FollowCode(char character)
    {
        if (character == '`')
        {
            _backticks++;
        }
        else if (_backticks > 0)
        {
            _openCode = _openCode == 0 ? _backticks : _openCode == _backticks ? 0 : _openCode;
            _backticks = 0;
        }

        if (character == '\n' && _last == '\n' && _openCode < 3)
            _openCode = 0;
        _last = character;
    }
}
