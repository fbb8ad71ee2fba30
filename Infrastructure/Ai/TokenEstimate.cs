namespace ChatBackend.Infrastructure.Ai;

/// <summary>
/// Estimates how many tokens a model counts, without its tokenizer: a fixed share of a token per character, by script.
/// Enough for a budget; for costs, use the model's own usage figures.
/// </summary>
/// <remarks>
/// Measured with js-tiktoken 1.0.21 on 2026-11-21, encoding o200k_base (gpt-4o and later), over 25,000 to 60,000 characters of public text per
/// language, and rounded up. Older encodings count more: cl100k_base, which the embedding models use, up to three times as much. A passage
/// still stays far below their 8,191 tokens. docs/retrieval.md has the figures.
/// </remarks>
internal static class TokenEstimate
{
    /// <summary>The weights are in hundredths of a token, so that sums are whole numbers.</summary>
    private const int Whole = 100;

    public static int Of(ReadOnlySpan<char> text)
    {
        var hundredths = 0L;

        while (!text.IsEmpty)
        {
            // All ASCII characters weigh the same, and most text is ASCII: a run of them is counted at once.
            var plain = text.IndexOfAnyExceptInRange('\0', '\u007F') is >= 0 and var other ? other : text.Length;
            hundredths += (long)plain * Weight('\0');
            text = text[plain..];
            for (; !text.IsEmpty && !char.IsAscii(text[0]); text = text[1..])
                hundredths += Weight(text[0]);
        }

        return (int)((hundredths + Whole - 1) / Whole);
    }

    /// <summary>The length of the longest prefix of <paramref name="text"/> within <paramref name="tokens"/>; at least one whole character.</summary>
    public static int PrefixLength(ReadOnlySpan<char> text, int tokens)
    {
        var left = (long)tokens * Whole;
        var length = 0;

        while (length < text.Length && (left -= Weight(text[length])) >= 0)
            length++;

        if (length == 0 && text.Length > 0)
            length = 1;

        return length < text.Length && char.IsLowSurrogate(text[length]) ? (length > 1 ? length - 1 : length + 1) : length;
    }

    private static int Weight(char character) => character switch
    {
        // English prose has 4.9 characters a token, code about 3: a book has both.
        < '\u0080' => 25,
        // Latin letters with marks: Turkish, Romanian, Vietnamese.
        < '\u0370' => 85,
        >= '\u1E00' and < '\u1F00' => 45,
        // Greek.
        < '\u0400' or (>= '\u1F00' and < '\u2000') => 40,
        // Cyrillic.
        < '\u0530' => 29,
        // Hebrew.
        >= '\u0590' and < '\u0600' => 47,
        // Arabic, Persian, Urdu.
        (>= '\u0600' and < '\u0700') or (>= '\u0750' and < '\u0780') or (>= '\uFB50' and < '\uFE00') or (>= '\uFE70' and < '\uFEFF') => 36,
        // Devanagari.
        >= '\u0900' and < '\u0980' => 36,
        // Thai.
        >= '\u0E00' and < '\u0E80' => 47,
        // Hangul.
        >= '\uAC00' and < '\uD7B0' => 78,
        // Punctuation: dashes, typographic quotation marks, ellipses.
        >= '\u2000' and < '\u2070' => 50,
        // Chinese characters, kana, full-width forms.
        (>= '\u2E80' and < '\uA000') or (>= '\uF900' and < '\uFB00') or (>= '\uFF00' and < '\uFFF0') => 90,
        // Not measured: other scripts, symbols, each half of a surrogate pair.
        _ => 67,
    };
}
