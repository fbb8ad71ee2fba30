namespace ChatBackend.Infrastructure.Search.Words;

/// <summary>
/// How much of a question a passage holds: the share of the question's words, weighted by their rarity in the book. A word counts
/// to the degree that the passage has it, so that one line fits all scripts: its term, its stem (<see cref="LightStemmer"/>), most of its
/// beginning (Latin script), or its 4-grams (other scripts). In scripts without spaces each character is such a word. docs/retrieval.md has what was tried.
/// </summary>
internal sealed class Coverage
{
    /// <summary>The weight of characters of a script without spaces that never occur beside each other in the book: most are the end of one word
    /// and the beginning of the next.</summary>
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

    /// <summary>A question counts as if it had this many words more, which no passage has: of a short question a passage has half by chance.</summary>
    private const double MoreWords = 0.5;

    /// <summary>Where there are more passages, one has more of a question by chance. A book of more than this many counts this much of a word more
    /// each time that it is e times as large.</summary>
    private const double ManyPassages = 150;
    private const double MoreWordsOfMany = 0.25;

    /// <summary>A larger book counts as one of this size: none was measured, and at some size a question of one word could not be answered.</summary>
    private const double MostPassages = 15_000;

    private readonly Word[] _words;
    private readonly double[] _weights;
    private readonly double _certainty;

    /// <param name="texts">The candidates: a word that is not in the book may be like one of theirs.</param>
    /// <param name="rarity">The inverse document frequency of the question's terms; null for one that no passage has. Terms that are absent
    /// here were not looked up, and do not count.</param>
    /// <param name="passageCount">The number of passages in the book.</param>
    public Coverage(SpelledQuestion question, IReadOnlyList<AnalyzedText> texts, IReadOnlyDictionary<string, double?> rarity, double passageCount)
    {
        _words = [.. Words(question.Text).Where(word => word.Terms.Any(rarity.ContainsKey)).Select(word => new Word(word, question.Discount(word.Terms[0])))];
        _weights = [.. _words.Select(word => Weigh(word, texts, rarity, passageCount))];
        _certainty = Certainty(MoreWords + (MoreWordsOfMany * Math.Log(Math.Clamp(passageCount, ManyPassages, MostPassages) / ManyPassages)));
    }

    /// <summary>The weight of each word that counts.</summary>
    public IReadOnlyList<double> Weights => _weights;

    /// <summary>Whether each word that counts is an everyday word.</summary>
    public IReadOnlyList<bool> AreEveryday => field ??= [.. _words.Select(w => !w.IsRun && EverydayWords.Contain(w.Terms[0]))];

    /// <summary>The coverage where these texts are the whole book.</summary>
    public static Coverage Among(string question, IReadOnlyList<AnalyzedText> texts)
    {
        var spelled = new SpelledQuestion(question);
        return new(
            spelled, texts,
            QueryTerms.Of(spelled).ToDictionary(
                t => t.Term, t => texts.Count(text => text.Frequencies.ContainsKey(t.Term)) is > 0 and var holding ? Rarity(holding, texts.Count) : (double?)null),
            texts.Count);
    }

    /// <summary>The coverage (0 to 1) by a passage: the mean of that by all of it, where words count more that it has more often, and that by its
    /// headings and two sentences beside each other. A passage that answers mentions the question's words often, and together. A short question
    /// is never covered wholly (<see cref="MoreWords"/>).</summary>
    public double OfPassage(AnalyzedText passage, AnalyzedText headings, IReadOnlyList<AnalyzedText> sentences)
    {
        var whole = Degrees(passage);
        var above = DegreesOfPart(headings, whole);
        double[][] degrees = [.. sentences.Select(sentence => DegreesOfPart(sentence, whole))];
        var together = Of(above);
        for (var i = 0; i < degrees.Length; i++)
            together = Math.Max(together, Of(Most(above, degrees[i], degrees[Math.Min(i + 1, degrees.Length - 1)])));
        for (var i = 0; i < whole.Length; i++)
            if (whole[i] > 0)
                whole[i] *= Math.Min(1, _words[i].FrequencyIn(passage) / EnoughOften);
        return _certainty * (Of(whole) + together) / 2;
    }

    /// <summary>The coverage (0 to 1) by a text, however often it has a word.</summary>
    public double Of(AnalyzedText text) => Of(Degrees(text));

    /// <param name="degrees">The degree (0 to 1) to which each word is there.</param>
    public double Of(double[] degrees)
    {
        var (covered, all) = (0.0, 0.0);
        for (var i = 0; i < _weights.Length; i++)
            (covered, all) = (covered + (_weights[i] * degrees[i]), all + _weights[i]);
        return all > 0 ? covered / all : 0;
    }

    /// <summary>The degrees of texts together: the largest for each word.</summary>
    public static double[] Most(params ReadOnlySpan<double[]> degrees)
    {
        double[] most = [.. degrees[0]];
        foreach (var others in degrees[1..])
            for (var i = 0; i < most.Length; i++)
                most[i] = Math.Max(most[i], others[i]);
        return most;
    }

    /// <summary>The degree (0 to 1) to which a text has each word that counts.</summary>
    public double[] Degrees(AnalyzedText text) => Array.ConvertAll(_words, word => word.Discount * word.DegreeIn(text));

    /// <summary>The degrees of a part of a text. A part has no word that the whole text lacks, and most passages have few of the words.</summary>
    private double[] DegreesOfPart(AnalyzedText part, double[] whole)
    {
        var degrees = new double[_words.Length];
        for (var i = 0; i < degrees.Length; i++)
            degrees[i] = whole[i] > 0 ? _words[i].Discount * _words[i].DegreeIn(part) : 0;
        return degrees;
    }

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

    /// <summary>The weight of the question's words as a share of that and of the words that it may lack. One of these weighs as the mean of the question's
    /// words does, in which heavier words count more, and as an ordinary word if the question has several words and all are everyday words.</summary>
    private double Certainty(double moreWords)
    {
        if (_weights.Sum() is not (> 0 and var all))
            return 0;
        var heavier = _weights.Sum(weight => weight * weight) / all / (_words.Length > 1 ? _words.Max(ShareOf) : 1);
        return all / (all + (moreWords * heavier));
    }

    private static double ShareOf(Word word) => word.IsRun ? 1 : EverydayWords.WeightOf(word.Terms[0]);

    /// <summary>What a word weighs: its rarity, or that of its stem, because a rare form of a common word says little; else that of the words that
    /// are like it.</summary>
    private static double Weigh(Word word, IReadOnlyList<AnalyzedText> texts, IReadOnlyDictionary<string, double?> rarity, double passageCount)
    {
        var unknown = Unknown * Rarity(0, passageCount);
        if (word.IsRun)
            return word.Terms.Min(rarity.GetValueOrDefault) ?? (UnknownCharacter * unknown);
        var share = ShareOf(word);
        return share * (new[] { rarity.GetValueOrDefault(word.Terms[0]), word.Stem is { } stem ? rarity.GetValueOrDefault(stem) : null }.Min()
            ?? (texts.Any(text => word.DegreeIn(text) > 0) ? Rarity(1, passageCount) : unknown));
    }

    /// <summary>BM25's inverse document frequency.</summary>
    private static double Rarity(double holding, double count) => Math.Log(1 + ((count - holding + 0.5) / (holding + 0.5)));

    /// <summary>A word of the question. It is looked for in each sentence of each passage, so what it needs is made once.</summary>
    private sealed class Word
    {
        /// <summary>Its parts or 4-grams. A single letter or digit, such as the two parts of G1, is in almost every passage.</summary>
        private readonly string[] _parts;
        private readonly bool _hasGrams;
        private readonly bool _mayBegin;

        public Word(AnalyzedWord word, double discount)
        {
            (IsRun, Terms, Discount) = (word.IsRun, [.. word.Terms], discount);
            Stem = IsRun ? null : Array.Find(Terms, term => term[0] == TextAnalyzer.StemPrefix);
            _parts = [.. Terms.Skip(1).Where(part => part.Length > 1 && part != Stem)];
            _hasGrams = Terms[^1][0] == TextAnalyzer.GramPrefix;
            _mayBegin = Terms[0].Length >= ShortestBeginning && !Terms[0].Any(char.IsDigit);
        }

        public bool IsRun { get; }

        public string[] Terms { get; }

        public string? Stem { get; }

        public double Discount { get; }

        /// <summary>The degree (0 to 1) to which a text has the word.</summary>
        public double DegreeIn(AnalyzedText text)
        {
            if (IsRun)
                return Share(Terms, text) is > 0 and var grams ? OneGram + ((1 - OneGram) * grams) : 0;
            if (text.Frequencies.ContainsKey(Terms[0]))
                return 1;
            var sameStem = Stem is not null && text.Frequencies.ContainsKey(Stem) ? SameStem : 0;
            if (_parts.Length == 0)
                return Math.Max(sameStem, Beginning(text));
            var share = Share(_parts, text);
            return share >= LeastGrams || !_hasGrams ? Math.Max(sameStem, share) : sameStem;
        }

        /// <summary>How often a text has the word or what is like it, in BM25's measure: 1 is once in a text of mean length.</summary>
        public double FrequencyIn(AnalyzedText text)
        {
            var frequency = Math.Max(1, Terms.Where(term => term != Stem && text.Frequencies.ContainsKey(term)).Select(term => text.Frequencies[term]).DefaultIfEmpty(1).Average());
            return (Bm25.K1 + 1) * frequency / (frequency + Bm25.Fixed + (Bm25.PerTerm * text.Length));
        }

        private static double Share(string[] terms, AnalyzedText text)
        {
            var held = 0;
            foreach (var term in terms)
                if (text.Frequencies.ContainsKey(term))
                    held++;
            return held / (double)terms.Length;
        }

        /// <summary>Stems of one family, and inflected words that the English stemmer does not know, share most of their beginning.</summary>
        private double Beginning(AnalyzedText text)
        {
            if (!_mayBegin)
                return 0;
            var (word, best) = (Terms[0], 0.0);
            foreach (var term in text.Frequencies.Keys)
                if (term[0] == word[0] && word.AsSpan().CommonPrefixLength(term) is >= ShortestBeginning and var common)
                    best = Math.Max(best, 2.0 * common / (word.Length + term.Length));
            return best >= LeastBeginning ? best : 0;
        }
    }
}
