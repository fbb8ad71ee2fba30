namespace ChatBackend.Infrastructure.Ai;

/// <summary>How much text of an answer is taken: a server need not keep to the tokens that were asked for.</summary>
internal static class OutputLimit
{
    /// <summary>Twice what a token of English holds on average, and code and other languages hold less: no honest answer is cut.</summary>
    private const int CharactersPerToken = 8;

    /// <summary>The most characters (UTF-16 code units) of an answer of so many tokens.</summary>
    public static int Characters(int tokens) => tokens * CharactersPerToken;

    /// <summary>The beginning of a text; a character is taken whole or not at all.</summary>
    public static string Cut(string text, int characters) =>
        text.Length <= characters ? text
        : characters > 0 && char.IsHighSurrogate(text[characters - 1]) ? text[..(characters - 1)]
        : text[..characters];
}
