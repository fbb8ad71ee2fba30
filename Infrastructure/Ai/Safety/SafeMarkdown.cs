using System.Buffers;
using System.Text;
using System.Text.RegularExpressions;

namespace ChatBackend.Infrastructure.Ai.Safety;

/// <summary>
/// Makes a model's Markdown safe to render while it streams. A tag is escaped, an image becomes its alt text, and a link that is
/// not http, https, mailto or relative becomes its text. Code and formulas stay readable.
/// </summary>
/// <remarks>
/// The result is safe in any renderer of CommonMark or GFM, with or without formulas, and does not depend on how the text is cut into
/// pieces. Outside code it has no <c>&lt;</c> that begins a tag, no <c>![</c>, no <c>](</c> and no definition (<c>]:</c>) before a
/// destination that was not checked, so it does not matter how a renderer pairs brackets. Only what all renderers take for code
/// keeps such characters: a fence that <see cref="CodeFence"/> has rewritten, and `code` that is closed on its line.
/// At most 2,000 characters are held back: two texts and a destination.
/// A page must not compile an answer as MDX, which is a program. MathJax follows <c>\href</c> unless its safe extension is on.
/// </remarks>
internal sealed partial class SafeMarkdown
{
    /// <summary>The longest text of a link, `code` or formula; a longer one is plain text.</summary>
    private const int LongestText = 500;

    /// <summary>The longest destination with title.</summary>
    private const int LongestTarget = 1_000;

    /// <summary>How many characters of a word are kept to recognize an address.</summary>
    private const int LongestScheme = 8;

    /// <summary>Pieces are processed in slices of this length, so that a huge one is not copied repeatedly.</summary>
    private const int Slice = 1_000;

    /// <summary>What <see cref="Normalize"/> replaces or removes.</summary>
    private static readonly SearchValues<char> Unwanted =
        SearchValues.Create([.. Enumerable.Range(0, char.MaxValue).Select(c => (char)c).Where(c => c is '\u2028' or '\u2029' || (char.IsControl(c) && c is not ('\n' or '\t')))]);

    private const int Never = -1;
    private const int NotYet = -2;

    private readonly StringBuilder _shown = new();
    private readonly StringBuilder _word = new();
    private string _text = "";
    private int _at;
    private bool _isLast;
    private bool _afterReturn;

    private char _last = '\n';
    private char _beforeLast;
    private bool _isLineStart = true;
    private bool _isBlankLine = true;
    private bool _isBlankBefore = true;
    private bool _isItemStart = true;
    private int _indent;

    private CodeFence? _fence;

    /// <summary>The end of the open multi-line formula: <c>$$</c> or <c>\]</c>.</summary>
    private string? _formulaEnd;
    private int _formulaIndent;

    /// <summary>Parsers may disagree on where a formula of several lines ends. From there on, nothing is certain to be code.</summary>
    private bool _isDoubtful;

    /// <summary>In this paragraph a formula or an expression may have begun, in which backticks have no meaning.</summary>
    private bool _hasOpener;

    /// <summary>True if parsers may pair this paragraph's backticks differently.</summary>
    private bool _hasDoubtfulCode;

    /// <summary>True if a bracket at the beginning of a line is open: it may begin a definition.</summary>
    private bool _isLabel;

    /// <summary>True if code on this line contains a character that may end a table's cell.</summary>
    private bool _hasCellEnd;

    /// <summary>The current word may be a bare address, which may include backticks.</summary>
    private bool _isAddress;

    /// <returns>The output that is final now.</returns>
    public string Push(string piece)
    {
        for (var start = 0; start < piece.Length; start += Slice)
        {
            _text = string.Concat(_text.AsSpan(_at), Normalize(piece.Substring(start, Math.Min(Slice, piece.Length - start))));
            _at = 0;
            Advance();
        }

        return TakeShown();
    }

    /// <returns>The rest of the output.</returns>
    public string Flush()
    {
        _isLast = true;
        Advance();
        return TakeShown();
    }

    private string TakeShown()
    {
        var shown = _shown.ToString();
        _shown.Clear();
        return shown;
    }

    /// <summary>Unifies line ends and removes other control characters: parsers, browsers and PostgreSQL treat them differently.</summary>
    private string Normalize(string piece)
    {
        if (!_afterReturn && !piece.AsSpan().ContainsAny(Unwanted))
            return piece;

        var text = new StringBuilder(piece.Length);
        foreach (var character in piece)
        {
            if (character is '\r' or '\x85' or '\u2028' or '\u2029' || (character == '\n' && !_afterReturn))
                text.Append('\n');
            else if (character == '\t' || !char.IsControl(character))
                text.Append(character);
            _afterReturn = character == '\r';
        }

        return text.ToString();
    }

    private void Advance()
    {
        while (_at < _text.Length && TakeNext())
        {
        }
    }

    /// <returns>False if more text is needed.</returns>
    private bool TakeNext()
    {
        if (_fence is not null)
            return TakeCode(_fence);
        if (_formulaEnd is not null)
            return _isLineStart ? TakeFormulaLineStart() : TakeFormula(_formulaEnd);
        if (_isLineStart)
            return TakeLineStart();

        switch (_text[_at])
        {
            case '\\':
                return TakeEscape();
            case '`':
                return TakeInlineCode();
            case '<':
                return TakeAngle();
            case '!':
                return TakeImage();
            case '[':
                return TakeLink();
            case '(' when _last == ']':
                return TakeTarget();
            case ':' when _last == ']':
                return TakeDefinition();
            case '$':
                return TakeDollar();
            case ']':
                _isLabel = false;
                break;
            case '{':
                // In some dialects, an expression or attributes.
                _hasOpener = true;
                break;
        }

        Show(_text[_at++], isFormula: false);
        return true;
    }

    private bool TakeEscape()
    {
        if (IsUnknown(_at + 1))
            return false;
        var next = At(_at + 1);
        switch (next)
        {
            case '<' or '`' or '!':
                return TakeEscaped(next.ToString(), 2);
            case '(':
                return TakeFormulaStart(@"\(", @"\)");
            case '[':
                return TakeFormulaStart(@"\[", @"\]");
        }

        Show(_text[_at++], isFormula: false);
        if (char.IsAsciiLetterOrDigit(next) || char.IsWhiteSpace(next) || next == '\0' || !char.IsAscii(next))
            return true;
        _hasOpener |= next is '$' or '{';
        ShowRaw([_text[_at++]]);
        _last = '\0';
        return true;
    }

    /// <summary>Replaces the next <paramref name="length"/> characters by entities, which are never Markdown.</summary>
    private bool TakeEscaped(string characters, int length)
    {
        foreach (var character in characters)
            Escape(character, isFormula: false);
        _at += length;
        return true;
    }

    /// <summary>The character at an index; U+0000, which the text does not contain, after its end.</summary>
    private char At(int index) => index < _text.Length ? _text[index] : '\0';

    private bool IsUnknown(int index) => index >= _text.Length && !_isLast;

    private string Line(out bool isWhole)
    {
        var end = _text.IndexOf('\n', _at);
        isWhole = end >= 0 || _isLast;
        return _text[_at..(end >= 0 ? end : _text.Length)];
    }

    /// <summary>Appends a character of text or of a formula; escapes it if it would complete a construct that was not checked.</summary>
    private void Show(char character, bool isFormula)
    {
        var completes = character switch
        {
            '[' => isFormula && (_last == '!' || _isItemStart),
            '(' => isFormula && _last == ']',
            // Three colons open a block that parsers may close within code. Some parsers link bare addresses.
            ':' => (isFormula && _last == ']') || (_last == ':' && _beforeLast == ':') || BareScheme().IsMatch(_word.ToString()),
            '^' or '~' => _last == character && _beforeLast == character,
            '`' => isFormula,
            _ => false,
        };
        if (completes)
            Escape(character, isFormula);
        else
            ShowWord([character]);
    }

    private void Escape(char character, bool isFormula) => ShowWord(
        character == '<' ? "&lt;" : !isFormula || character == '`' ? $"&#{(int)character};" : _isItemStart ? $"{{}}{character}" : $" {character}");

    /// <summary>Appends text, and tracks whether its last word is a bare address.</summary>
    private void ShowWord(ReadOnlySpan<char> text)
    {
        ShowRaw(text);
        foreach (var character in text)
        {
            if (char.IsWhiteSpace(character))
            {
                _word.Clear();
                _isAddress = false;
                continue;
            }

            if (_word.Length == LongestScheme)
                _word.Remove(0, 1);
            _word.Append(character);
            _isAddress |= character is '/' or '.' or '@' && AddressBeginning().IsMatch(_word.ToString());
        }
    }

    private void ShowRaw(ReadOnlySpan<char> text)
    {
        foreach (var character in text)
        {
            _shown.Append(character);
            (_beforeLast, _last) = (_last, character);
            if (character == '\n')
            {
                if (_isBlankLine)
                    _hasOpener = _hasDoubtfulCode = false;
                (_isBlankBefore, _isBlankLine, _isLineStart, _isItemStart) = (_isBlankLine, true, true, true);
                _indent = 0;
                _hasCellEnd = false;
                _word.Clear();
                _isAddress = false;
            }
            else
            {
                _isBlankLine &= character is ' ' or '\t';
                _isItemStart &= character is ' ' or '\t' or '>' or '-' or '+' or '*' or '.' or ')' || char.IsAsciiDigit(character);
                _indent += _isBlankLine ? 1 : 0;
            }
        }
    }

    [GeneratedRegex("(?:://|www\\.|@)$", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex AddressBeginning();

    [GeneratedRegex("(?:ftp|(?<![a-z])(?:tel|xmpp))$", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex BareScheme();
}
