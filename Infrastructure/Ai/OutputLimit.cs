namespace ChatBackend.Infrastructure.Ai;

/// <summary>The most text of an answer that is read, because a server may ignore <see cref="AiOptions.MaxOutputTokens"/>.</summary>
internal static class OutputLimit
{
    /// <summary>Twice the average of English; code and other languages have fewer. An answer within its tokens is never cut.</summary>
    private const int CharactersPerToken = 8;

    /// <summary>The most UTF-16 code units of an answer of this many tokens.</summary>
    public static int Characters(int tokens) => tokens * CharactersPerToken;

    /// <summary>The beginning of a text, without half a surrogate pair at its end.</summary>
    public static string Cut(string text, int characters) =>
        text.Length <= characters ? text
        : characters > 0 && char.IsHighSurrogate(text[characters - 1]) ? text[..(characters - 1)]
        : text[..characters];
}
