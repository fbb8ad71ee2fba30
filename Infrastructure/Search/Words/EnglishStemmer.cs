namespace ChatBackend.Infrastructure.Search.Words;

/// <summary>The Porter2 stemmer, written from Martin Porter's description (snowballstem.org/algorithms/english/stemmer.html).
/// Takes lower-case words of a to z and the apostrophe.</summary>
internal static class EnglishStemmer
{
    /// <summary>The first two lines are Porter's; then come plurals that textbooks have, and the short forms of mathematics.</summary>
    private static readonly Dictionary<string, string> Exceptions =
        """
        skis ski skies sky dying die lying lie tying tie idly idl gently gentl ugly ugli early earli only onli singly singl
        sky sky news news howe howe atlas atlas cosmos cosmos bias bias andes andes
        axes axi matrices matrix vertices vertex indices index appendices appendix analyses analysi hypotheses hypothesi criteria criterion
        phenomena phenomenon math mathemat maths mathemat
        """.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Chunk(2).ToDictionary(pair => pair[0], pair => pair[1]);

    /// <summary>Words that need no further step once their plural is removed.</summary>
    private static readonly HashSet<string> AfterPlural = ["inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed"];

    // Longest first within each step: the algorithm takes the longest suffix that matches and no other.
    private static readonly (string Suffix, string Replacement)[] Step2 =
    [
        ("ization", "ize"), ("ational", "ate"), ("fulness", "ful"), ("ousness", "ous"), ("iveness", "ive"), ("tional", "tion"),
        ("biliti", "ble"), ("lessli", "less"), ("entli", "ent"), ("ation", "ate"), ("alism", "al"), ("aliti", "al"), ("ousli", "ous"),
        ("iviti", "ive"), ("fulli", "ful"), ("enci", "ence"), ("anci", "ance"), ("abli", "able"), ("izer", "ize"), ("ator", "ate"),
        ("alli", "al"), ("bli", "ble"), ("ogi", "og"), ("li", ""),
    ];

    private static readonly (string Suffix, string Replacement)[] Step3 =
    [
        ("ational", "ate"), ("tional", "tion"), ("alize", "al"), ("icate", "ic"), ("iciti", "ic"), ("ative", ""), ("ical", "ic"), ("ness", ""), ("ful", ""),
    ];

    private static readonly string[] Step4 =
    [
        "ement", "ance", "ence", "able", "ible", "ment", "ant", "ent", "ism", "ate", "iti", "ous", "ive", "ize", "ion", "al", "er", "ic",
    ];

    /// <summary>Words of one or two letters are returned unchanged.</summary>
    public static string Stem(string word)
    {
        if (word.Length <= 2)
            return word;
        if (Exceptions.TryGetValue(word, out var exception))
            return exception;

        word = RemovePossessive(MarkConsonantY(word.TrimStart('\'')));
        var (region1, region2) = Regions(word);
        word = RemovePlural(word);
        if (AfterPlural.Contains(word))
            return word;

        word = RemovePastAndGerund(word, region1);
        if (word.Length > 2 && word[^1] is 'y' or 'Y' && !IsVowel(word[^2]))
            word = word[..^1] + "i";
        word = ShortenDerivation(word, region1);
        word = ShortenFurther(word, region1, region2);
        word = RemoveEnding(word, region2);
        return RemoveFinal(word, region1, region2).Replace('Y', 'y');
    }

    // A y that begins a word or follows a vowel is a consonant, written Y until the end.
    private static string MarkConsonantY(string word)
    {
        if (!word.Contains('y'))
            return word;
        var letters = word.ToCharArray();
        for (var i = 0; i < letters.Length; i++)
            if (letters[i] == 'y' && (i == 0 || IsVowel(letters[i - 1])))
                letters[i] = 'Y';
        return new(letters);
    }

    // R1 begins after the first consonant that follows a vowel, R2 is R1's own R1.
    private static (int Region1, int Region2) Regions(string word)
    {
        var region1 = word switch
        {
            _ when word.StartsWith("gener", StringComparison.Ordinal) || word.StartsWith("arsen", StringComparison.Ordinal) => 5,
            _ when word.StartsWith("commun", StringComparison.Ordinal) => 6,
            _ => After(0),
        };
        return (region1, After(region1));

        int After(int start)
        {
            for (var i = start + 1; i < word.Length; i++)
                if (!IsVowel(word[i]) && IsVowel(word[i - 1]))
                    return i + 1;
            return word.Length;
        }
    }

    // Step 0.
    private static string RemovePossessive(string word) =>
        Ends(word, "'s'") ? word[..^3] : Ends(word, "'s") ? word[..^2] : Ends(word, "'") ? word[..^1] : word;

    // Step 1a.
    private static string RemovePlural(string word)
    {
        if (Ends(word, "sses"))
            return word[..^2];
        if (Ends(word, "ied") || Ends(word, "ies"))
            return word.Length > 4 ? word[..^2] : word[..^1];
        if (!Ends(word, "s") || Ends(word, "us") || Ends(word, "ss"))
            return word;
        // The vowel must not be directly before the s: gas and this keep the s, gaps loses it.
        return HasVowel(word.AsSpan(0, Math.Max(0, word.Length - 2))) ? word[..^1] : word;
    }

    // Step 1b.
    private static string RemovePastAndGerund(string word, int region1)
    {
        foreach (var suffix in (ReadOnlySpan<string>)["eedly", "eed"])
            if (Ends(word, suffix))
                return word.Length - suffix.Length >= region1 ? word[..^suffix.Length] + "ee" : word;

        foreach (var suffix in (ReadOnlySpan<string>)["ingly", "edly", "ing", "ed"])
        {
            if (!Ends(word, suffix))
                continue;
            var stem = word[..^suffix.Length];
            if (!HasVowel(stem))
                return word;
            if (Ends(stem, "at") || Ends(stem, "bl") || Ends(stem, "iz"))
                return stem + "e";
            if (stem.Length > 1 && stem[^1] == stem[^2] && stem[^1] is 'b' or 'd' or 'f' or 'g' or 'm' or 'n' or 'p' or 'r' or 't')
                return stem[..^1];
            return stem.Length <= region1 && EndsInShortSyllable(stem) ? stem + "e" : stem;
        }

        return word;
    }

    // Step 2.
    private static string ShortenDerivation(string word, int region1)
    {
        foreach (var (suffix, replacement) in Step2)
        {
            if (!Ends(word, suffix))
                continue;
            var stem = word[..^suffix.Length];
            var applies = stem.Length >= region1 && suffix switch
            {
                "ogi" => Ends(stem, "l"),
                "li" => stem.Length > 0 && stem[^1] is 'c' or 'd' or 'e' or 'g' or 'h' or 'k' or 'm' or 'n' or 'r' or 't',
                _ => true,
            };
            return applies ? stem + replacement : word;
        }

        return word;
    }

    // Step 3.
    private static string ShortenFurther(string word, int region1, int region2)
    {
        foreach (var (suffix, replacement) in Step3)
        {
            if (!Ends(word, suffix))
                continue;
            var stem = word[..^suffix.Length];
            return stem.Length >= (suffix == "ative" ? region2 : region1) ? stem + replacement : word;
        }

        return word;
    }

    // Step 4.
    private static string RemoveEnding(string word, int region2)
    {
        foreach (var suffix in Step4)
        {
            if (!Ends(word, suffix))
                continue;
            var stem = word[..^suffix.Length];
            var applies = stem.Length >= region2 && (suffix != "ion" || Ends(stem, "s") || Ends(stem, "t"));
            return applies ? stem : word;
        }

        return word;
    }

    // Step 5.
    private static string RemoveFinal(string word, int region1, int region2)
    {
        if (Ends(word, "e"))
        {
            var stem = word[..^1];
            return stem.Length >= region2 || (stem.Length >= region1 && !EndsInShortSyllable(stem)) ? stem : word;
        }

        return Ends(word, "ll") && word.Length - 1 >= region2 ? word[..^1] : word;
    }

    private static bool EndsInShortSyllable(string word) => word.Length switch
    {
        2 => IsVowel(word[0]) && !IsVowel(word[1]),
        > 2 => !IsVowel(word[^3]) && IsVowel(word[^2]) && !IsVowel(word[^1]) && word[^1] is not ('w' or 'x' or 'Y'),
        _ => false,
    };

    private static bool HasVowel(ReadOnlySpan<char> text) => text.ContainsAny('a', 'e', 'i') || text.ContainsAny('o', 'u', 'y');

    private static bool IsVowel(char c) => c is 'a' or 'e' or 'i' or 'o' or 'u' or 'y';

    private static bool Ends(string word, string suffix) => word.EndsWith(suffix, StringComparison.Ordinal);
}
