namespace ChatBackend.Infrastructure.Ai.Safety;

// A renderer without formulas shows their text, so they are made safe with spaces, which do not change a formula.
internal sealed partial class SafeMarkdown
{
    /// <summary>An inline formula keeps its characters; a multi-line one must begin a line; a price is text.</summary>
    private bool TakeDollar()
    {
        if (IsUnknown(_at + 1))
            return false;
        if (_last == '$' || At(_at + 1) == '$')
            return _last == '$' ? TakeEscaped("$", 1) : TakeFormulaStart("$$", "$$");

        _hasOpener = true;
        var close = FormulaEnd("$", _at + 1);
        if (close == NotYet || (close != Never && IsUnknown(close + 1)))
            return false;
        if (close == Never || char.IsWhiteSpace(_text[_at + 1]) || char.IsWhiteSpace(_text[close - 1]) || char.IsAsciiDigit(At(close + 1)))
        {
            Show(_text[_at++], isFormula: false);
            return true;
        }

        ShowFormula(close + 1);
        return true;
    }

    private bool TakeFormulaStart(string begin, string end)
    {
        _hasOpener = true;
        var close = FormulaEnd(end, _at + begin.Length);
        if (close == NotYet)
            return false;
        if (close != Never)
        {
            ShowFormula(close + end.Length);
            // Without formulas, \] is an escaped bracket.
            _last = _last == ']' ? '\0' : _last;
            return true;
        }

        if (!_isBlankLine)
            return TakeEscaped(begin.TrimStart('\\'), begin.Length);

        var rest = _text.AsSpan(_at + begin.Length, Math.Min(LongestText, _text.Length - _at - begin.Length));
        // If it shares its line, parsers disagree on where it ends.
        _isDoubtful |= !rest[..(rest.IndexOf('\n') is var line and >= 0 ? line : rest.Length)].IsWhiteSpace();
        _formulaEnd = end;
        _formulaIndent = _indent;
        ShowFormula(_at + begin.Length);
        return true;
    }

    /// <summary>The end of the formula on the same line. A formula has no backticks.</summary>
    private int FormulaEnd(string end, int start)
    {
        var window = Math.Min(_text.Length, start + LongestText);
        for (var i = start; i < window; i++)
        {
            if (_text[i] is '\n' or '`')
                return Never;
            if (_text[i] == end[0] && IsUnknown(i + end.Length - 1))
                return NotYet;
            if (i > start && string.CompareOrdinal(_text, i, end, 0, end.Length) == 0)
                return i;
            if (_text[i] == '\\' && At(i + 1) is not ('\n' or '`'))
                i++;
        }

        return _isLast || window == start + LongestText ? Never : NotYet;
    }

    private bool TakeFormulaLineStart()
    {
        var indent = 0;
        while (indent < LongestText && At(_at + indent) is ' ' or '\t')
            indent++;
        if (indent < LongestText && IsUnknown(_at + indent))
            return false;
        // The list item that contains the formula may have ended.
        _isDoubtful |= indent < _formulaIndent && At(_at + indent) != '\n';
        _isLineStart = false;
        return true;
    }

    private bool TakeFormula(string end)
    {
        var character = _text[_at];
        if ((character is '$' or '\\' or '<') && IsUnknown(_at + 1))
            return false;
        if (character == '`')
        {
            // A formula cannot contain it: the formula has ended, or there was none.
            _isDoubtful = true;
            _formulaEnd = null;
        }
        else if (string.CompareOrdinal(_text, _at, end, 0, end.Length) == 0)
        {
            var rest = _at + end.Length;
            while (rest < _at + LongestText && At(rest) is ' ' or '\t')
                rest++;
            if (rest < _at + LongestText && IsUnknown(rest))
                return false;
            _isDoubtful |= !_isBlankLine || At(rest) is not ('\n' or '\0');
            _formulaEnd = null;
            ShowFormula(_at + end.Length);
            _last = _last == ']' ? '\0' : _last;
        }
        else
        {
            ShowFormula(_at + (character == '\\' && At(_at + 1) is '\\' or '(' or ')' or '[' or ']' ? 2 : 1));
        }

        return true;
    }

    /// <summary>Appends the text up to an end, with spaces, which have no meaning in a formula, instead of escapes.</summary>
    private void ShowFormula(int end)
    {
        while (_at < end)
        {
            var character = _text[_at++];
            Show(character, isFormula: true);
            if (character == '<' && (char.IsAsciiLetter(At(_at)) || At(_at) is '/' or '!' or '?'))
                Show(' ', isFormula: true);
        }
    }
}
