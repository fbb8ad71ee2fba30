namespace ChatBackend.Infrastructure.Search.Words;

/// <summary>What the inflected forms of a word have in common, without a dictionary. Words must be folded as by <see cref="TextAnalyzer.Fold"/>.</summary>
internal static class LightStemmer
{
    /// <summary>The first five letters find Turkish texts as well as lemmas do (Can et al., "Information Retrieval on Turkish Texts", 2008).</summary>
    private const int TurkishBeginning = 5;

    /// <summary>The least that remains of a word in Arabic script: its root mostly has three letters.</summary>
    private const int Root = 3;

    // Articles, also after a preposition: Larkey, Ballesteros and Connell, "Light Stemming for Arabic Information Retrieval", 2007 (light10).
    private static readonly string[] ArabicArticles = ["بال", "فال", "کال", "لل", "ال"];

    private static readonly string[] PersianVerbPrefixes = ["نمی", "می"];

    // Plurals, feminines, possessives and comparatives. A word may have several.
    private static readonly string[] Endings = ["ها", "تر", "ان", "ات", "ون", "ین", "ه", "ی"];

    /// <summary>The beginning of a Turkish word; null if the word is shorter. Its last consonant may be softened by an ending: kitap, kitabı.</summary>
    public static string? OfTurkish(string word) =>
        word.Length < TurkishBeginning || !word.All(char.IsLetter)
            ? null
            : string.Create(TurkishBeginning, word, (beginning, letters) =>
            {
                for (var i = 0; i < beginning.Length; i++)
                    beginning[i] = letters[i] switch { 'b' => 'p', 'ç' => 'c', 'd' => 't', 'ğ' or 'g' => 'k', var letter => letter };
            });

    /// <summary>An Arabic, Persian or Urdu word without its usual prefixes and endings; null for another word.</summary>
    public static string? OfArabicScript(string word)
    {
        if (word.Length < Root || !IsArabicScript(word))
            return null;

        var stem = word.AsSpan();
        if (!Cut(ref stem, PersianVerbPrefixes))
        {
            // "And". In a shorter word it is mostly a part of the root.
            if (stem.Length > Root + 1 && stem[0] == 'و')
                stem = stem[1..];
            Cut(ref stem, ArabicArticles);
        }

        for (var ending = FindEnding(stem); ending > 0; ending = FindEnding(stem))
            stem = stem[..^ending];
        return stem.ToString();
    }

    public static bool IsArabicScript(string word) => word is [>= '\u0621' and <= '\u06FF', ..];

    private static bool Cut(ref ReadOnlySpan<char> word, string[] prefixes)
    {
        foreach (var prefix in prefixes)
        {
            if (!word.StartsWith(prefix) || word.Length - prefix.Length < Root)
                continue;
            word = word[prefix.Length..];
            return true;
        }

        return false;
    }

    private static int FindEnding(ReadOnlySpan<char> word)
    {
        foreach (var ending in Endings)
            if (word.EndsWith(ending) && word.Length - ending.Length >= Root)
                return ending.Length;
        return 0;
    }
}
