using System.Collections.Frozen;

namespace ChatBackend.Infrastructure.Search.Words;

/// <summary>A question as the book spells it.</summary>
/// <param name="Corrected">The terms of words that the reader spelled otherwise; they count less (<see cref="Spelling.Discount"/>).</param>
internal sealed record SpelledQuestion(string Text, IReadOnlySet<string> Corrected)
{
    public SpelledQuestion(string text)
        : this(text, new HashSet<string>())
    {
    }

    /// <summary>What an index looks up for it.</summary>
    public QueryTerm[] Terms => field ??= QueryTerms.Of(this);

    public double Discount(string term) => Corrected.Contains(term) ? Spelling.Discount : 1;
}

/// <summary>A word of a question that the book does not have, and the words one typing error away from it: the most likely ones first.</summary>
/// <param name="Word">Folded, as in <see cref="TextAnalyzer.ReplaceWords"/>.</param>
internal sealed record UnknownWord(string Word, IReadOnlyList<(string Word, string Term)> Spellings);

/// <summary>Reads a word that the book does not have as one that it has, if a single typing error explains it (Damerau 1964): two neighbouring
/// letters swapped, one letter too many, one left out, or one replaced. Words that the book has are never changed.</summary>
internal static class Spelling
{
    /// <summary>What such a word counts, compared with a word of the book.</summary>
    public const double Discount = 0.8;

    /// <summary>In a shorter word one letter makes another word too often: <c>gear</c>, <c>gean</c>, <c>bear</c>.</summary>
    private const int ShortestWord = 5;
    private const int ShortestSpelling = 4;

    /// <summary>Words of this length up to <see cref="ShortestWord"/> are only read as stop words. With three letters, one replaced makes another
    /// word too often: <c>hot</c>, <c>how</c>.</summary>
    private const int ShortestStopWord = 3;

    /// <summary>Arabic script leaves out short vowels.</summary>
    private const int ShortestArabicWord = 4;

    /// <summary>A question with more unknown words has another subject, or another language, rather than so many errors.</summary>
    private const int MostWords = 3;

    /// <summary>Words that only look like stop words with two letters swapped.</summary>
    private static readonly string[] LikeStopWords = ["form", "dose"];

    private static readonly string[] Alphabets =
    [
        "abcdefghijklmnopqrstuvwxyzçğöşüéèêàâîôûäßñáíóúåø",
        "абвгдеёжзийклмнопрстуфхцчшщъыьэюяіїєґ",
        "αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώ",
        "ءابپتثٹجچحخدذڈرزژڑسشصضطظعغفقکگلمنںوهھیےئؤ",
        "אבגדהוזחטיךכלםמןנסעףפץצקרשת",
    ];

    private static readonly FrozenDictionary<char, string> AlphabetOf =
        Alphabets.SelectMany(alphabet => alphabet.Select(letter => (letter, alphabet))).ToFrozenDictionary(l => l.letter, l => l.alphabet);

    /// <summary>The words of a question that may be mistyped.</summary>
    /// <param name="isUnknown">Tells of a term whether the book does not have it.</param>
    public static IReadOnlyList<UnknownWord> Find(string question, Predicate<string> isUnknown) => Find(question, isUnknown, MostWords);

    private static IReadOnlyList<UnknownWord> Find(string question, Predicate<string> isUnknown, int most)
    {
        var language = Languages.Of(question);
        var words = new HashSet<string>(StringComparer.Ordinal);
        var shortWords = new Dictionary<string, string[]>(StringComparer.Ordinal);
        var isBeginning = true;
        TextAnalyzer.ReplaceWords(question, word =>
        {
            var isFirst = isBeginning;
            isBeginning = false;
            if (!AlphabetOf.ContainsKey(word[0]) || !TermsOf(word, language).All(term => isUnknown(term)) || IsCommon(word, language))
                return null;
            if (word.Length >= (LightStemmer.IsArabicScript(word) ? ShortestArabicWord : ShortestWord))
                words.Add(word);
            else if (StopWordsLike(word, isFirst, language) is { Length: > 0 } stops)
                shortWords[word] = stops;
            return null;
        });
        return
        [
            .. shortWords.Select(word => new UnknownWord(word.Key, WithTerms(word.Value))),
            .. words.Count <= most ? words.Select(word => new UnknownWord(word, WithTerms(Spellings(word).Distinct()))) : [],
        ];
    }

    /// <summary>The question with each unknown word in the first spelling that is known; null if none is.</summary>
    /// <param name="isKnown">Tells of a term whether the book has it.</param>
    public static SpelledQuestion? Correct(string question, IReadOnlyList<UnknownWord> words, Predicate<string> isKnown)
    {
        var language = Languages.Of(question);
        var found = new Dictionary<string, (string Word, string Term)>(StringComparer.Ordinal);
        foreach (var word in words)
            if (word.Spellings.Where(s => isKnown(s.Term)).Concat(word.Spellings.Where(s => IsCommon(s.Word, language))).FirstOrDefault() is { Word: not null } spelling)
                found[word.Word] = spelling;
        return found.Count == 0
            ? null
            : new(TextAnalyzer.ReplaceWords(question, word => found.GetValueOrDefault(word).Word), found.Values.Select(f => f.Term).ToHashSet());
    }

    /// <summary>The question with its errors corrected to words of these passages, which a search found for it.</summary>
    public static string CorrectBy(IReadOnlyList<AnalyzedText> passages, string question)
    {
        var asked = TextAnalyzer.AnalyzeQuery(question).Frequencies;
        return Correct(question, Find(question, term => asked.ContainsKey(term) && !IsKnown(term), most: int.MaxValue), IsKnown)?.Text ?? question;

        bool IsKnown(string term) => passages.Any(p => p.Frequencies.ContainsKey(term));
    }

    /// <summary>A word is known if the book has it, or another form of it.</summary>
    private static IEnumerable<string> TermsOf(string word, string? language)
    {
        yield return TextAnalyzer.TermOf(word);
        if (TextAnalyzer.StemTermOf(word, language == Languages.Turkish) is { } stem)
            yield return stem;
    }

    private static (string Word, string Term)[] WithTerms(IEnumerable<string> spellings) => [.. spellings.Select(s => (s, TextAnalyzer.TermOf(s)))];

    /// <summary>The stop words that a short word may stand for: <c>hwo</c>, <c>teh</c>, and <c>Wat</c> at the beginning. Many short words differ from
    /// a stop word in one letter, so elsewhere only two letters swapped count.</summary>
    private static string[] StopWordsLike(string word, bool isFirst, string? language)
    {
        if (word.Length < ShortestStopWord || LightStemmer.IsArabicScript(word) || LikeStopWords.Contains(word))
            return [];
        var swapped = Swapped(word).Where(s => StopWords.Contain(s) || Languages.StopWordsOf(language).Contains(s));
        return [.. (isFirst ? swapped.Concat(Spellings(word).Where(s => StopWords.IsQuestionWord(s) && (word.Length > ShortestStopWord || s.Length > word.Length))) : swapped).Distinct()];
    }

    /// <summary>Words that are no error although the book may not have them.</summary>
    private static bool IsCommon(string word, string? language) =>
        StopWords.Contain(word) || EverydayWords.Contain(TextAnalyzer.TermOf(word)) || Languages.IsStopWord(word, language);

    /// <summary>The first letter is seldom wrong, and most words that differ in it are other words.</summary>
    private static IEnumerable<string> Spellings(string word)
    {
        var alphabet = AlphabetOf[word[0]];
        foreach (var swapped in Swapped(word))
            yield return swapped;
        for (var i = 1; word.Length > ShortestSpelling && i < word.Length; i++)
            yield return word.Remove(i, 1);
        for (var i = 1; i <= word.Length; i++)
            foreach (var letter in alphabet)
                yield return word.Insert(i, letter.ToString());
        for (var i = 1; i < word.Length; i++)
            foreach (var letter in alphabet)
                if (letter != word[i])
                    yield return $"{word[..i]}{letter}{word[(i + 1)..]}";
    }

    private static IEnumerable<string> Swapped(string word)
    {
        for (var i = 1; i + 1 < word.Length; i++)
            if (word[i] != word[i + 1])
                yield return $"{word[..i]}{word[i + 1]}{word[i]}{word[(i + 2)..]}";
    }
}
