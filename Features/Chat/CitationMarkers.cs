using System.Text;

namespace ChatBackend.Features.Chat;

/// <summary>
/// Checks the markers of an answer as it streams. A marker <c>[n]</c> counts only if passage n was given; it is renumbered
/// by first use, and one that names no passage is dropped with the space before it. <c>[1, 3]</c> becomes <c>[1][2]</c>.
/// What comes out is what is shown and what is stored. Inside code a bracket is an index and stays.
/// </summary>
/// <param name="passages">How many passages were given, numbered from 1.</param>
internal sealed class CitationMarkers(int passages)
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

        if (_held.Length is > 0 and < LongestMarker && (char.IsAsciiDigit(character) || (_held.Length > 1 && character is ',' or ';' or ' ')))
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
        var known = _held.ToString(1, _held.Length - 1)
            .Split([',', ';', ' '], StringSplitOptions.RemoveEmptyEntries)
            .Select(p => int.TryParse(p, out var number) ? number : 0)
            .Where(n => n >= 1 && n <= passages)
            .ToArray();
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
