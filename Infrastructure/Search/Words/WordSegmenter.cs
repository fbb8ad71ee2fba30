using System.Globalization;
using System.Runtime.InteropServices;
using System.Text;

namespace ChatBackend.Infrastructure.Search.Words;

internal enum SegmentKind
{
    Word,

    /// <summary>A run of a script that puts no spaces between words: Han, kana, Hangul, Thai and its neighbours.</summary>
    Run,
}

[StructLayout(LayoutKind.Auto)]
internal readonly record struct Segment(int Start, int Length, SegmentKind Kind);

/// <summary>
/// Finds words by the rules of UAX #29 (Unicode Text Segmentation, 4.1.1: WB4 to WB13b). Word_Break classes are derived
/// from general categories, so there is no table to update with each Unicode version. Three differences: text between
/// words and LaTeX commands that only set type are not returned, and scripts without spaces are returned as whole runs, because they are searched by bigrams.
/// </summary>
internal static class WordSegmenter
{
    private enum WordBreak : byte
    {
        Other, Letter, Numeric, ExtendNumLet, MidLetter, MidNum, MidNumLet, Extend, Run,
    }

    private static readonly WordBreak[] BasicPlane = [.. Enumerable.Range(0, 0x10000).Select(c => Classify(c, CharUnicodeInfo.GetUnicodeCategory(c)))];

    /// <summary>The words and runs of a text, in order. Linear in the text's length.</summary>
    public static IEnumerable<Segment> Segments(string text)
    {
        var i = 0;
        while (i < text.Length)
        {
            var first = ClassAt(text, i, out var width);
            switch (first)
            {
                case WordBreak.Run:
                    var start = i;
                    i = SkipRun(text, i);
                    yield return new(start, i - start, SegmentKind.Run);
                    break;
                case WordBreak.Letter or WordBreak.Numeric or WordBreak.ExtendNumLet:
                    var end = WordEnd(text, i, out var hasText);
                    if (hasText && !IsTypesetting(text, i, end))
                        yield return new(i, end - i, SegmentKind.Word);
                    i = end;
                    break;
                default:
                    i += width;
                    break;
            }
        }
    }

    /// <summary>True for <c>mathbf</c> in <c>\mathbf{q}</c>, which a reader sees as a letter in bold. <c>\tau</c> and <c>\section{…}</c> are words.</summary>
    private static bool IsTypesetting(string text, int start, int end) =>
        start > 0 && text[start - 1] == '\\' && end < text.Length && text[end] == '{'
        && text[start..end] is "mathbf" or "mathrm" or "mathcal" or "mathbb" or "mathit" or "mathsf" or "boldsymbol" or "bm" or "operatorname";

    private static int SkipRun(string text, int i)
    {
        while (i < text.Length && ClassAt(text, i, out var width) is WordBreak.Run or WordBreak.Extend)
            i += width;
        return i;
    }

    private static int WordEnd(string text, int i, out bool hasText)
    {
        var previous = ClassAt(text, i, out var width);
        hasText = previous != WordBreak.ExtendNumLet;
        i = SkipExtend(text, i + width);
        while (i < text.Length)
        {
            var next = ClassAt(text, i, out width);
            if (next is WordBreak.MidLetter or WordBreak.MidNum or WordBreak.MidNumLet)
            {
                // WB6, WB7, WB11, WB12: a mark inside a word or number is kept only between two characters of the same kind.
                var after = SkipExtend(text, i + width);
                var beyond = after < text.Length ? ClassAt(text, after, out _) : WordBreak.Other;
                var holds = previous == beyond && (previous, next) is
                    (WordBreak.Letter, WordBreak.MidLetter or WordBreak.MidNumLet) or (WordBreak.Numeric, WordBreak.MidNum or WordBreak.MidNumLet);
                if (!holds)
                    break;
                i = after;
                continue;
            }

            // WB5, WB8 to WB10, WB13a, WB13b.
            if (next is not (WordBreak.Letter or WordBreak.Numeric or WordBreak.ExtendNumLet))
                break;
            hasText |= next != WordBreak.ExtendNumLet;
            previous = next;
            i = SkipExtend(text, i + width);
        }

        return i;
    }

    // WB4: marks and format characters belong to the character before them.
    private static int SkipExtend(string text, int i)
    {
        while (i < text.Length && ClassAt(text, i, out var width) == WordBreak.Extend)
            i += width;
        return i;
    }

    private static WordBreak ClassAt(string text, int i, out int width)
    {
        width = 1;
        if (!char.IsHighSurrogate(text[i]) || i + 1 >= text.Length || !char.IsLowSurrogate(text[i + 1]))
            return BasicPlane[text[i]];
        width = 2;
        var rune = new Rune(text[i], text[i + 1]);
        return Classify(rune.Value, Rune.GetUnicodeCategory(rune));
    }

    private static WordBreak Classify(int c, UnicodeCategory category) => c switch
    {
        '.' or '\'' or 0x2018 or 0x2019 or 0x2024 => WordBreak.MidNumLet,
        ':' or 0xB7 or 0x387 or 0x55F or 0x5F4 or 0x2027 => WordBreak.MidLetter,
        ',' or ';' or 0x37E or 0x589 or 0x60C or 0x60D or 0x66B or 0x66C or 0x7F8 or 0x2044 => WordBreak.MidNum,
        0x202F => WordBreak.ExtendNumLet,
        // A zero-width space separates words in scripts that use no other space.
        0x200B => WordBreak.Other,
        _ => category switch
        {
            UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark or UnicodeCategory.Format => WordBreak.Extend,
            UnicodeCategory.ConnectorPunctuation => WordBreak.ExtendNumLet,
            UnicodeCategory.DecimalDigitNumber => WordBreak.Numeric,
            UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter
                or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter or UnicodeCategory.LetterNumber =>
                IsWithoutSpaces(c) ? WordBreak.Run : WordBreak.Letter,
            _ => WordBreak.Other,
        },
    };

    /// <summary>True for a character of a script that writes no spaces between words.</summary>
    public static bool IsWithoutSpaces(int c) => c is
        (>= 0x0E00 and <= 0x0EFF) or (>= 0x1000 and <= 0x109F) or (>= 0x1780 and <= 0x17FF) // Thai, Lao, Myanmar, Khmer
        or (>= 0x1100 and <= 0x11FF) or (>= 0x3130 and <= 0x318F) or (>= 0xAC00 and <= 0xD7FF) // Hangul: bigrams serve it best
        or (>= 0x2E80 and <= 0x30FF) or (>= 0x3100 and <= 0x312F) or (>= 0x31A0 and <= 0x4DBF) or (>= 0x4E00 and <= 0x9FFF) // Han, kana
        or (>= 0xF900 and <= 0xFAFF) or (>= 0xFF66 and <= 0xFF9F) or (>= 0x1B000 and <= 0x1B16F) or (>= 0x20000 and <= 0x3FFFF);
}
