using System.Text;
using System.Text.RegularExpressions;

namespace ChatBackend.Features.Chat.Answering;

/// <summary>
/// Checks the markers of an answer as it streams. A marker <c>[n]</c> counts only if passage n was given; it is renumbered
/// by first use, and one that names no passage is dropped with the space before it. <c>[1, 3]</c> and <c>[1-2]</c> become <c>[1][2]</c>.
/// What comes out is what is shown and what is stored. Inside code a bracket is an index and stays.
/// </summary>
/// <param name="passages">How many passages were given, numbered from 1.</param>
internal sealed partial class CitationMarkers(int passages)
{
    /// <summary>A bracket that is not closed within so many characters is no marker.</summary>
    private const int LongestMarker = 24;

    private readonly StringBuilder _held = new();
    private readonly List<int> _used = [];
    private bool _spaceHeld;
    private int _backticks;
    private int _openCode;
    private char _last;

    /// <summary>The passages cited so far, as they were given, in the order of first use.</summary>
    public IReadOnlyList<int> Used => _used;

    /// <summary>Takes the next piece of the answer.</summary>
    /// <returns>What can be shown of it now; the beginning of what may be a marker is held back.</returns>
    public string Push(string piece)
    {
        var shown = new StringBuilder(piece.Length);
        foreach (var character in piece)
            Take(character, shown);
        return shown.ToString();
    }

    /// <summary>The answer is over: what was held back turns out to be text.</summary>
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

        // The space before a bracket waits with it: it goes with the marker when the marker is dropped.
        var opens = character == '[' && _openCode == 0;
        if (!opens || _held.Length > 0)
            Release(shown);
        if (opens)
            _held.Append(character);
        else if (character == ' ')
            _spaceHeld = true;
        else
            shown.Append(character);
    }

    private void Release(StringBuilder shown)
    {
        if (_spaceHeld)
            shown.Append(' ');
        shown.Append(_held);
        _held.Clear();
        _spaceHeld = false;
    }

    private void ShowMarker(StringBuilder shown)
    {
        var known = Numbers().Matches(_held.ToString()).SelectMany(Given).ToArray();
        _held.Clear();
        if (known.Length > 0 && _spaceHeld)
            shown.Append(' ');
        _spaceHeld = false;
        foreach (var number in known)
        {
            if (!_used.Contains(number))
                _used.Add(number);
            shown.Append('[').Append(_used.IndexOf(number) + 1).Append(']');
        }
    }

    /// <summary>The passages among a number, or the numbers from one to another.</summary>
    private IEnumerable<int> Given(Match match)
    {
        var first = Number(match.Groups["first"].ValueSpan);
        var last = match.Groups["last"].Success ? Number(match.Groups["last"].ValueSpan) : first;
        return Enumerable.Range(1, passages).Where(n => n >= first && n <= last);

        static int Number(ReadOnlySpan<char> digits) => int.TryParse(digits, out var number) ? number : int.MaxValue;
    }

    [GeneratedRegex("(?<first>[0-9]+)(?: *[-–] *(?<last>[0-9]+))?", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Numbers();

    // A run of backticks is closed by a run of the same length; `inline` code ends with its paragraph at the latest.
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
