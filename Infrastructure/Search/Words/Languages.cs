using System.Collections.Frozen;
using System.Text;
using ChatBackend.Infrastructure.Resources;

namespace ChatBackend.Infrastructure.Search.Words;

/// <summary>Tells the language of a text by its script and its stop words. English stop words are in <see cref="StopWords"/>,
/// those of other languages in <c>stop-words.txt</c>.</summary>
internal static class Languages
{
    public const string Turkish = "tr";

    private const string English = "en";

    private static readonly FrozenDictionary<string, FrozenSet<string>> Stops = Read();

    /// <summary>The languages that have a stop word, English too.</summary>
    private static readonly FrozenDictionary<string, string[]> LanguagesOfWord =
        Stops.SelectMany(l => l.Value.Select(word => (Word: word, Language: l.Key))).Concat(StopWords.All.Select(word => (Word: word, Language: English)))
            .GroupBy(w => w.Word, w => w.Language, StringComparer.Ordinal).ToFrozenDictionary(w => w.Key, w => w.ToArray(), StringComparer.Ordinal);

    /// <summary>The languages of each script, except English.</summary>
    private static readonly FrozenDictionary<Script, string[]> LanguagesOfScript =
        Stops.GroupBy(l => ScriptOf(l.Value.First().EnumerateRunes().First()), l => l.Key).ToFrozenDictionary(l => l.Key, l => l.ToArray());

    private enum Script
    {
        Other, Latin, Arabic, Devanagari, Thai, Han, Kana, Hangul, Cyrillic, Greek,
    }

    /// <summary>A BCP 47 tag, such as <c>ur</c> or <c>ur-Latn</c>; null if the text does not tell.</summary>
    public static string? Of(string text)
    {
        var script = ScriptOf(text);
        var spoken = LanguagesOfScript.GetValueOrDefault(script, []);
        if (script != Script.Latin && spoken.Length <= 1)
            return spoken.FirstOrDefault();
        if (script == Script.Latin && TextAnalyzer.HasTurkishLetters(text))
            return Turkish;

        var hits = Hits(TextAnalyzer.Fold(text));
        var language = spoken.MaxBy(l => hits.GetValueOrDefault(l))!;
        if (script == Script.Latin && hits.TryGetValue(English, out var english) && english >= hits.GetValueOrDefault(language))
            return English;
        return hits.ContainsKey(language) ? language : null;
    }

    /// <summary>How many stop words of each language a folded text has. A word of several languages tells little: "son" is French, Spanish and Turkish.</summary>
    private static Dictionary<string, double> Hits(ReadOnlySpan<char> folded)
    {
        var hits = new Dictionary<string, double>(StringComparer.Ordinal);
        var languagesOfWord = LanguagesOfWord.GetAlternateLookup<ReadOnlySpan<char>>();
        foreach (var word in folded.Split(' '))
            if (languagesOfWord.TryGetValue(folded[word], out var languages))
                foreach (var language in languages)
                    hits[language] = hits.GetValueOrDefault(language) + (1.0 / languages.Length);
        return hits;
    }

    /// <summary>Words of the language that say nothing about a topic, folded by <see cref="TextAnalyzer.Fold"/>. Empty for English and unknown languages.</summary>
    public static FrozenSet<string> StopWordsOf(string? language) => language is not null && Stops.TryGetValue(language, out var words) ? words : [];

    /// <param name="language">Null if it is not known: a stop word of any language counts.</param>
    public static bool IsStopWord(string word, string? language) =>
        language is null ? Stops.Values.Any(s => s.Contains(word)) : StopWordsOf(language).Contains(word);

    private static FrozenDictionary<string, FrozenSet<string>> Read()
    {
        var words = new Dictionary<string, List<string>>();
        List<string> current = [];
        foreach (var token in EmbeddedText.Read("stop-words.txt").Split('\n').Where(l => !l.StartsWith('#')).SelectMany(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries)))
        {
            if (token.EndsWith(':'))
                words[token[..^1]] = current = [];
            else
                current.Add(TextAnalyzer.Fold(token));
        }

        return words.ToFrozenDictionary(l => l.Key, l => l.Value.ToFrozenSet(StringComparer.Ordinal));
    }

    /// <summary>The script of most letters. Names and code in Latin letters are common in every language, so another script needs only a third.</summary>
    private static Script ScriptOf(string text)
    {
        Span<int> letters = stackalloc int[Enum.GetValues<Script>().Length];
        letters.Clear();
        foreach (var rune in text.EnumerateRunes())
            if (Rune.IsLetter(rune))
                letters[(int)ScriptOf(rune)]++;

        var (script, count, all) = (Script.Other, 0, 0);
        for (var i = 0; i < letters.Length; i++)
        {
            all += letters[i];
            if ((Script)i != Script.Latin && letters[i] > count)
                (script, count) = ((Script)i, letters[i]);
        }

        if (count * 3 < all || count == 0)
            return letters[(int)Script.Latin] > 0 ? Script.Latin : Script.Other;
        // Japanese is written in Han characters too, but never without kana.
        return script == Script.Han && letters[(int)Script.Kana] > 0 ? Script.Kana : script;
    }

    private static Script ScriptOf(Rune rune) => rune.Value switch
    {
        < 0x250 or (>= 0x1E00 and <= 0x1EFF) => Script.Latin,
        (>= 0x370 and <= 0x3FF) or (>= 0x1F00 and <= 0x1FFF) => Script.Greek,
        >= 0x400 and <= 0x52F => Script.Cyrillic,
        (>= 0x600 and <= 0x77F) or (>= 0xFB50 and <= 0xFDFF) or (>= 0xFE70 and <= 0xFEFF) => Script.Arabic,
        >= 0x900 and <= 0x97F => Script.Devanagari,
        >= 0xE00 and <= 0xE7F => Script.Thai,
        >= 0x3040 and <= 0x30FF => Script.Kana,
        (>= 0x1100 and <= 0x11FF) or (>= 0xAC00 and <= 0xD7AF) => Script.Hangul,
        (>= 0x3400 and <= 0x9FFF) or (>= 0xF900 and <= 0xFAFF) or (>= 0x20000 and <= 0x3FFFF) => Script.Han,
        _ => Script.Other,
    };
}
