using System.Buffers;
using System.Text.RegularExpressions;

namespace ChatBackend.Infrastructure.Ai.Safety;

// Fenced and inline code: only what is code for every parser is kept unchanged.
internal sealed partial class SafeMarkdown
{
    private static readonly SearchValues<char> Raw = SearchValues.Create("$}\\");

    private bool TakeLineStart()
    {
        var line = Line(out var isWhole);
        if (!_isDoubtful)
        {
            if (!isWhole && CodeFence.MayOpen(line))
                return false;
            _fence = CodeFence.Open(line);
        }

        _isLineStart = false;
        if (_fence is null)
            return true;

        if (_fence.NeedsBlankLine && !_isBlankBefore)
            ShowRaw("\n");
        TakeLine(_fence.Opening, line.Length);
        return true;
    }

    private bool TakeCode(CodeFence fence)
    {
        var line = Line(out var isWhole);
        if (!_isLineStart)
        {
            TakeLine(line, line.Length);
            return true;
        }

        if (!isWhole && CodeFence.MayClose(line))
            return false;
        line = line[..Math.Min(line.Length, CodeFence.LongestLine)];
        if (fence.Inside(line) is not { } inside)
        {
            ShowRaw(fence.Closing + "\n");
            _fence = null;
            return true;
        }

        if (fence.Closes(inside))
        {
            // The rest of such a long line is text, on a line of its own.
            inside = fence.Closing + (line.Length == CodeFence.LongestLine ? "\n" : "");
            _fence = null;
        }

        TakeLine(inside, line.Length);
        return true;
    }

    private void TakeLine(string shown, int length)
    {
        _at += length;
        _isLineStart = false;
        ShowRaw(shown);
        if (At(_at) == '\n')
            ShowRaw([_text[_at++]]);
    }

    private bool TakeInlineCode()
    {
        var ticks = 1;
        while (ticks < LongestText && At(_at + ticks) == '`')
            ticks++;
        if (ticks < LongestText && IsUnknown(_at + ticks))
            return false;
        var run = _text[_at..(_at + ticks)];
        var close = _isDoubtful ? Never : Closing(run, _at + ticks);
        if (close == NotYet)
            return false;

        if (close != Never && _text[(_at + ticks)..close] is var code && MayStay(code))
        {
            ShowRaw($"{(_last == '`' ? " " : "")}{run}{code}{run}");
            _at = close + ticks;
            return true;
        }

        // No parser may pair this run with a later one. It is harmless where nothing counts as code.
        if (!_isDoubtful)
            return TakeEscaped(run, ticks);
        ShowWord(run);
        _at += ticks;
        return true;
    }

    /// <summary>Whether all parsers take it for code, or it is harmless as text.</summary>
    private bool MayStay(string code)
    {
        // One of the two runs could belong to an address, a formula, an expression or a table's cell.
        var isDoubtful = _hasDoubtfulCode || _isAddress || (_hasOpener && code.AsSpan().ContainsAny(Raw));
        _hasCellEnd |= CellEnd().IsMatch(code);
        if (((isDoubtful || _hasCellEnd) && Active().IsMatch(code)) || (_isLabel && code.Contains("]:", StringComparison.Ordinal)))
            return false;

        _hasDoubtfulCode |= isDoubtful;
        _isLabel &= !code.AsSpan().ContainsAny('[', ']');
        return true;
    }

    private int Closing(string run, int start)
    {
        var end = Math.Min(_text.Length, start + LongestText);
        for (var i = start; i < end; i++)
        {
            if (_text[i] == '\n')
                return Never;
            if (_text[i] != '`')
                continue;
            var first = i;
            while (i < end && _text[i] == '`')
                i++;
            if (i < end ? i - first == run.Length : i - first == run.Length && _isLast && end == _text.Length)
                return first;
            i--;
        }

        return _isLast || end == start + LongestText ? Never : NotYet;
    }

    /// <summary>What is Markdown or HTML to parsers that do not take this for code.</summary>
    [GeneratedRegex(@"<[a-z/!?]|!\[|\]\(|\]:|:::|\^{3}|~{3}|\${2}|(?:ftp|tel|xmpp):", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Active();

    // Any line may be a table's row: only the table's second line tells.
    [GeneratedRegex(@"(?:^|[^\\]|\\\\)\|", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex CellEnd();
}
