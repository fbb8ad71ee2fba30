namespace ChatBackend.Infrastructure.Search.Words;

/// <summary>
/// How much of a question a passage holds: the share of the question's words, weighted by their rarity in the book. A word counts
/// to the degree that the passage has it, so that one line fits all scripts: its term, its stem (<see cref="LightStemmer"/>), most of its
/// beginning (Latin script), or its 4-grams (other scripts). In scripts without spaces each character is such a word. docs/retrieval.md has what was tried.
/// </summary>
internal sealed class Coverage
{
    /// <summary>The weight of an everyday word, and of characters of a script without spaces that never occur beside each other in the book:
    /// most are the end of one word and the beginning of the next.</summary>
    private const double Everyday = 0.3;
    private const double UnknownCharacter = 0.4;

    /// <summary>How much more a word weighs that the book does not have. Such a word is mostly the name of another subject.</summary>
    private const double Unknown = 1.25;

    /// <summary>The least share of a word's 4-grams, or of the letters of two words that are a common beginning, that makes them alike.</summary>
    private const double LeastGrams = 0.5;
    private const double LeastBeginning = 0.7;
    private const int ShortestBeginning = 4;

    /// <summary>What a word counts if the passage has another form of it (<see cref="LightStemmer"/>).</summary>
    private const double SameStem = 0.7;

    /// <summary>What a character of a script without spaces counts if the passage has one of its grams: a typing error changes those around it, too.</summary>
    private const double OneGram = 0.25;

    /// <summary>How often a passage must have a word for it to count wholly, as BM25 counts: once in a text of ten terms, twice in one of 60.
    /// A passage that mentions a word once in passing is seldom about it.</summary>
    private const double EnoughOften = 1.4;

    private readonly (AnalyzedWord Word, double Discount, double Weight)[] _words;

    /// <param name="texts">The candidates: a word that is not in the book may be like one of theirs.</param>
    /// <param name="rarity">The inverse document frequency of the question's terms; null for one that no passage has. Terms that are absent
    /// here were not looked up, and do not count.</param>
    /// <param name="passageCount">The number of passages in the book.</param>
    public Coverage(SpelledQuestion question, IReadOnlyList<AnalyzedText> texts, IReadOnlyDictionary<string, double?> rarity, double passageCount)
    {
        _words =
        [
            .. from word in Words(question.Text)
               where word.Terms.Any(rarity.ContainsKey)
               select (word, question.Discount(word.Terms[0]), Weigh(word, texts, rarity, passageCount)),
        ];
    }

    /// <summary>The weight of each word that counts.</summary>
    public IReadOnlyList<double> Weights => field ??= [.. _words.Select(w => w.Weight)];

    /// <summary>Whether each word that counts is an everyday word.</summary>
    public IReadOnlyList<bool> AreEveryday => field ??= [.. _words.Select(w => !w.Word.IsRun && EverydayWords.Contain(w.Word.Terms[0]))];

    /// <summary>The coverage where these texts are the whole book.</summary>
    public static Coverage Among(string question, IReadOnlyList<AnalyzedText> texts) => new(
        new(question), texts,
        QueryTerms.Of(new(question)).ToDictionary(
            t => t.Term, t => texts.Count(text => text.Frequencies.ContainsKey(t.Term)) is > 0 and var holding ? Rarity(holding, texts.Count) : (double?)null),
        texts.Count);

    /// <summary>The coverage (0 to 1) by a passage: the mean of that by all of it, where words count more that it has more often, and that by its
    /// headings and two sentences beside each other. A passage that answers mentions the question's words often, and together.</summary>
    public double OfPassage(AnalyzedText passage, AnalyzedText headings, IReadOnlyList<AnalyzedText> sentences)
    {
        var whole = Of([.. Degrees(passage).Zip(_words, (degree, w) => degree * Math.Min(1, Frequency(w.Word, passage) / EnoughOften))]);
        var above = Degrees(headings);
        var degrees = sentences.Select(Degrees).ToArray();
        var together = Of(above);
        for (var i = 0; i < degrees.Length; i++)
            together = Math.Max(together, Of(Most(above, degrees[i], degrees[Math.Min(i + 1, degrees.Length - 1)])));
        return (whole + together) / 2;
    }

    /// <summary>The coverage (0 to 1) by a text, however often it has a word.</summary>
    public double Of(AnalyzedText text) => Of(Degrees(text));

    /// <param name="degrees">The degree (0 to 1) to which each word is there.</param>
    public double Of(IReadOnlyList<double> degrees) =>
        Weights.Sum() is > 0 and var all ? Weights.Zip(degrees, (weight, degree) => weight * degree).Sum() / all : 0;

    /// <summary>The degrees of texts together: the largest for each word.</summary>
    public static double[] Most(params double[][] degrees) => [.. degrees[0].Select((_, i) => degrees.Max(d => d[i]))];

    /// <summary>The degree (0 to 1) to which a text has each word that counts.</summary>
    public double[] Degrees(AnalyzedText text) => [.. _words.Select(w => w.Discount * Degree(w.Word, text))];

    /// <summary>The words that say something about the topic; all words if there are none.</summary>
    private static AnalyzedWord[] Words(string question)
    {
        var words = TextAnalyzer.AnalyzeWords(question);
        var stops = Languages.StopWordsOf(Languages.Of(question));
        var telling = words.SelectMany(w => w.IsRun ? Characters(w.Text, stops) : stops.Contains(w.Text) ? [] : [w]).DistinctBy(w => (w.Text, w.Terms[0])).ToArray();
        return telling.Length > 0 ? telling : [.. words.SelectMany(w => w.IsRun ? Characters(w.Text, []) : [w])];
    }

    /// <summary>The characters of a run outside its stop words, each with the grams that hold it.</summary>
    private static IEnumerable<AnalyzedWord> Characters(string run, IReadOnlyCollection<string> stops)
    {
        var isStop = new bool[run.Length];
        foreach (var stop in stops)
            for (var at = run.IndexOf(stop, StringComparison.Ordinal); at >= 0; at = run.IndexOf(stop, at + 1, StringComparison.Ordinal))
                isStop.AsSpan(at, stop.Length).Fill(true);

        var grams = TextAnalyzer.GramsOfRun(run).ToArray();
        int[] starts = [.. Enumerable.Range(0, run.Length).Where(i => !char.IsLowSurrogate(run[i])), run.Length];
        var gramLength = starts.Length - grams.Length;
        for (var i = 0; i + 1 < starts.Length; i++)
            if (!isStop[starts[i]])
                yield return new(run[starts[i]..starts[i + 1]], true, grams[Math.Max(0, i - gramLength + 1)..Math.Min(i + 1, grams.Length)]);
    }

    /// <summary>The degree (0 to 1) to which a passage has a word.</summary>
    private static double Degree(AnalyzedWord word, AnalyzedText passage)
    {
        if (word.IsRun)
            return Share(word.Terms) is > 0 and var grams ? OneGram + ((1 - OneGram) * grams) : 0;
        if (passage.Frequencies.ContainsKey(word.Terms[0]))
            return 1;
        var sameStem = Stem(word) is { } stem && passage.Frequencies.ContainsKey(stem) ? SameStem : 0;
        // A single letter or digit, such as the two parts of G1, is in almost every passage.
        var parts = word.Terms.Skip(1).Where(part => part.Length > 1 && part != Stem(word)).ToArray();
        if (parts.Length == 0)
            return Math.Max(sameStem, Beginning(word.Terms[0], passage));
        var share = Share(parts);
        return share >= LeastGrams || word.Terms[^1][0] != TextAnalyzer.GramPrefix ? Math.Max(sameStem, share) : sameStem;

        double Share(IReadOnlyList<string> terms) => terms.Count(passage.Frequencies.ContainsKey) / (double)terms.Count;
    }

    private static string? Stem(AnalyzedWord word) => word.IsRun ? null : word.Terms.FirstOrDefault(term => term[0] == TextAnalyzer.StemPrefix);

    /// <summary>Stems of one family, and inflected words that the English stemmer does not know, share most of their beginning.</summary>
    private static double Beginning(string word, AnalyzedText passage)
    {
        if (word.Length < ShortestBeginning || word.Any(char.IsDigit))
            return 0;
        var best = passage.Frequencies.Keys
            .Select(term => word.AsSpan().CommonPrefixLength(term) is >= ShortestBeginning and var common ? 2.0 * common / (word.Length + term.Length) : 0)
            .DefaultIfEmpty(0).Max();
        return best >= LeastBeginning ? best : 0;
    }

    /// <summary>How often a passage has a word or what is like it, in BM25's measure: 1 is once in a text of mean length.</summary>
    private static double Frequency(AnalyzedWord word, AnalyzedText passage)
    {
        var stem = Stem(word);
        var frequency = Math.Max(1, word.Terms
            .Where(term => term != stem && passage.Frequencies.ContainsKey(term)).Select(term => passage.Frequencies[term]).DefaultIfEmpty(1).Average());
        return (Bm25.K1 + 1) * frequency / (frequency + Bm25.Fixed + (Bm25.PerTerm * passage.Length));
    }

    /// <summary>What a word weighs: its rarity, or that of the words that are like it.</summary>
    private static double Weigh(AnalyzedWord word, IReadOnlyList<AnalyzedText> texts, IReadOnlyDictionary<string, double?> rarity, double passageCount)
    {
        var unknown = Unknown * Rarity(0, passageCount);
        if (word.IsRun)
            return word.Terms.Min(rarity.GetValueOrDefault) ?? (UnknownCharacter * unknown);
        var share = EverydayWords.Contain(word.Terms[0]) ? Everyday : 1;
        return share * (rarity.GetValueOrDefault(word.Terms[0])
            ?? (Stem(word) is { } stem ? rarity.GetValueOrDefault(stem) : null)
            ?? (texts.Any(text => Degree(word, text) > 0) ? Rarity(1, passageCount) : unknown));
    }

    /// <summary>BM25's inverse document frequency.</summary>
    private static double Rarity(double holding, double count) => Math.Log(1 + ((count - holding + 0.5) / (holding + 0.5)));
}
