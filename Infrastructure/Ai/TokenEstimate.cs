namespace ChatBackend.Infrastructure.Ai;

/// <summary>
/// Estimates how many tokens a model counts, without its tokenizer: 4 Latin characters per token, 1.5 of other scripts.
/// Accurate to about 25%: enough for a budget; for costs, use the model's own usage figures.
/// </summary>
internal static class TokenEstimate
{
    private const int LastLatin = 0x24F;

    // In twelfths of a token, so that sums are whole numbers: 3/12 is 1/4, 8/12 is 1/1.5.
    private const int Latin = 3;
    private const int Other = 8;
    private const int Whole = 12;

    public static int Of(ReadOnlySpan<char> text)
    {
        var twelfths = 0L;

        foreach (var character in text)
            twelfths += Weight(character);

        return (int)((twelfths + Whole - 1) / Whole);
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

    private static int Weight(char character) => character <= LastLatin ? Latin : Other;
}
