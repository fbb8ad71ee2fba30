using System.Buffers;
using System.Text.RegularExpressions;

namespace ChatBackend.Infrastructure.Ai.Safety;

internal sealed partial class SafeMarkdown
{
    private static readonly SearchValues<char> Special = SearchValues.Create("[]!`<$\\");

    /// <summary>Escapes <c>&lt;</c>, unless no parser takes it for a tag or it begins an address such as <c>&lt;https://...&gt;</c>.</summary>
    private bool TakeAngle()
    {
        if (IsUnknown(_at + 1))
            return false;
        var next = At(_at + 1);
        if (char.IsAsciiLetter(next))
        {
            var end = _text.AsSpan(_at + 1, Math.Min(LongestText, _text.Length - _at - 1)).IndexOfAny("<> \t\n");
            if (end < 0 && !_isLast && _text.Length - _at - 1 < LongestText)
                return false;
            if (Address().Match(_text, _at, Math.Min(end + 2, _text.Length - _at)) is { Success: true } address)
            {
                ShowRaw(address.Value);
                _at += address.Length;
                return true;
            }
        }
        else if (char.IsWhiteSpace(next) || char.IsAsciiDigit(next) || next is '=' or '-' or '<')
        {
            Show(_text[_at++], isFormula: false);
            return true;
        }

        return TakeEscaped("<", 1);
    }

    private bool TakeImage()
    {
        if (IsUnknown(_at + 1))
            return false;
        if (At(_at + 1) != '[')
        {
            Show(_text[_at++], isFormula: false);
            return true;
        }

        var close = ClosingBracket(_at + 1);
        if (close == NotYet || (close != Never && IsUnknown(close + 1)))
            return false;
        LinkTarget? target = null;
        if (close != Never && At(close + 1) == '(' && !TryReadTarget(close + 1, out target))
            return false;

        if (close == Never || (At(close + 1) == '(' && target is null))
        {
            Show(_text[_at++], isFormula: false);
            Escape(_text[_at++], isFormula: false);
            return true;
        }

        if (target is null && Marker().IsMatch(_text.AsSpan(_at + 2, close - _at - 2)))
        {
            // The end of a sentence and its citation: "It walks![1]".
            ShowRaw("! ");
            _at++;
            return true;
        }

        var end = close + 1 + (target?.Length ?? 0);
        if (target is null && At(close + 1) == '[')
        {
            var reference = ClosingBracket(close + 1);
            if (reference == NotYet)
                return false;
            end = reference == Never ? end : reference + 1;
        }

        KeepText(_at + 2, close, end);
        return true;
    }

    private bool TakeLink()
    {
        // The text between them was removed.
        if (_last == '!')
            return TakeEscaped("[", 1);

        var close = ClosingBracket(_at);
        if (close == NotYet || (close != Never && IsUnknown(close + 1)))
            return false;
        if (close != Never && At(close + 1) == '(')
        {
            if (!TryReadTarget(close + 1, out var target))
                return false;
            if (target is { IsSafe: false })
            {
                KeepText(_at + 1, close, close + 1 + target.Length);
                return true;
            }
        }

        // Some parsers would close an open bracket at the beginning of a line within code.
        if (close == Never && _isItemStart)
            return TakeEscaped("[", 1);
        _isLabel = _isItemStart;
        Show(_text[_at++], isFormula: false);
        return true;
    }

    private void KeepText(int start, int close, int end)
    {
        _text = string.Concat(_text[start..close].Replace('\n', ' '), _text.AsSpan(end));
        _at = 0;
    }

    /// <summary>The text after a closing bracket. Only a safe target may follow, whatever the bracket belongs to.</summary>
    private bool TakeTarget()
    {
        if (!TryReadTarget(_at, out var target))
            return false;
        if (target is null)
            return TakeEscaped("(", 1);
        if (target.IsSafe)
            ShowWord(target.Markdown);
        _at += target.Length;
        return true;
    }

    /// <returns>False if more text is needed.</returns>
    private bool TryReadTarget(int start, out LinkTarget? target)
    {
        var length = Window(start, out var isWhole);
        target = LinkTarget.Parse(_text, start, length);
        return target is not null || isWhole;
    }

    /// <summary>A definition keeps its colon if it is safe and ends on its line: <c>[label]: destination "title"</c>.</summary>
    private bool TakeDefinition()
    {
        var length = Window(_at, out var isWhole);
        var match = Definition().Match(_text, _at, length);
        var destination = match.Groups["destination"].Value;
        var below = match.Groups["below"].Value;
        var next = match.Groups["next"] is { Length: > 0, Value: var value } ? value[0] : '\0';
        var needsLineEnd = next == '"' && !_text.AsSpan(_at, length).Contains('\n');
        if (!isWhole && (next == '\0' || needsLineEnd || (next == '\n' && below.Length == 0)))
            return false;

        var isSafe = (destination.Length, next) switch
        {
            (0, _) => below is "" or "\n",
            (_, '\0') when length == LongestTarget => false,
            (_, '\n' or '\0') => below is not ("\"" or "'" or "(") && IsAllowed(destination),
            // More text follows, so no parser takes it for a definition, unless part of it is removed or begins a title.
            _ => !destination.AsSpan().ContainsAny(Special) && !Special.Contains(next) && next is not ('"' or '\'' or '('),
        };
        if (!isSafe)
            return TakeEscaped(":", 1);
        Show(_text[_at++], isFormula: false);
        return true;

        static bool IsAllowed(string destination) => destination[0] == '<'
            ? Address().IsMatch(destination)
            : !destination.Contains('[') && LinkTarget.IsAllowed(destination);
    }

    private int Window(int start, out bool isWhole)
    {
        var length = Math.Min(LongestTarget, _text.Length - start);
        var paragraph = _text.IndexOf("\n\n", start, length, StringComparison.Ordinal);
        isWhole = _isLast || length == LongestTarget || paragraph >= 0;
        return paragraph >= 0 ? paragraph - start : length;
    }

    /// <summary>The index where the bracket at <paramref name="start"/> is closed, on its line or on a line that clearly continues the text.</summary>
    private int ClosingBracket(int start)
    {
        var depth = 0;
        var window = Math.Min(_text.Length, start + LongestText);
        for (var i = start; i < window; i++)
        {
            switch (_text[i])
            {
                case '\\' when At(i + 1) != '\n':
                    i++;
                    break;
                case '[':
                    depth++;
                    break;
                case ']' when --depth == 0:
                    return i;
                case '\n' when IsUnknown(i + 1):
                    return NotYet;
                case '\n' when !char.IsLetter(At(i + 1)):
                    return Never;
            }
        }

        return _isLast || window == start + LongestText ? Never : NotYet;
    }

    [GeneratedRegex("""^<(?:https?://|mailto:|[\w.+-]+@)[^\s<>"'`\\|$\{}\[\]^]*>$""", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Address();

    [GeneratedRegex(
        """\A:[ \t]*(?<destination>[^ \t\n]*)(?:[ \t]+"[^"\\\[\]\n]*"(?=[ \t]*(?:\n|\z)))?[ \t]*(?<next>\n[ \t>]*(?<below>[^ \t>])?|[^ \t\n])?""",
        RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Definition();

    /// <summary>The label of a citation or a footnote.</summary>
    [GeneratedRegex(@"^\^?[0-9]+$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Marker();
}
