using System.Runtime.CompilerServices;
using System.Text;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Ai.Offline;

/// <param name="Text">In Markdown.</param>
/// <param name="IsWhole">True if one quoted sentence, or two beside each other, have nearly all that the question asks about.</param>
internal sealed record OfflineAnswer(string Text, bool IsWhole);

/// <summary>
/// Answers without a model: quotes the sentences that share most words with the question, weighted by rarity, under the heading
/// they come from.
/// </summary>
internal static class OfflineAnswerer
{
    private const int MostSentences = 4;
    private const int MostPassages = 3;

    /// <summary>The best sentence is quoted with those after it, up to this many.</summary>
    private const int EnoughSentences = 4;
    private const int EnoughElsewhere = 2;

    /// <summary>The least coverage of the question by one passage.</summary>
    private const double LeastCoverage = 0.2;

    /// <summary>The same for a question with selected text: one passage contains only a part of it.</summary>
    private const double LeastCoverageOfMuch = 0.15;

    /// <summary>The same where nobody is quoted for "who", or no number for "how many".</summary>
    private const double EnoughWithoutFact = 0.5;

    private const int MuchWords = 12;
    private const int FewWords = 3;

    /// <summary>One quoted sentence, or two beside each other, that cover this much of the question very likely answer it. Headings do not
    /// count, because the sentences below them say other things too.</summary>
    private const double Whole = 0.85;

    /// <summary>The least share of the question that a quotation of another passage adds to the first.</summary>
    private const double LeastAdded = 0.2;

    /// <summary>The least score, relative to the best one, of a further sentence of a chosen passage, or of another passage.</summary>
    private const double LeastWorth = 0.45;
    private const double LeastWorthElsewhere = 0.5;

    /// <summary>How much each rank further down in the search lowers the score of a passage.</summary>
    private const double LaterPassage = 0.4;

    /// <summary>The weight of a word that a quoted sentence already contains.</summary>
    private const double Repeated = 0.35;

    // A sentence that begins with one of these refers to the one before it.
    private static readonly HashSet<string> RefersBack = new(
        ["it", "its", "this", "that", "these", "those", "they", "their", "he", "she", "such", "both", "instead", "otherwise", "then", "so", "but", "however"],
        StringComparer.OrdinalIgnoreCase);

    private static readonly HashSet<string> AsksForCode = new(
        ["code", "example", "write", "implement", "create", "command", "script", "snippet", "show", "python", "مثال", "کوڈ"],
        StringComparer.OrdinalIgnoreCase);

    // These accept code after a quoted sentence, but do not ask for it.
    private static readonly HashSet<string> MayWantCode = new([.. AsksForCode, "how", "کیسے"], StringComparer.OrdinalIgnoreCase);

    private static readonly HashSet<string> Articles = new(["a", "an", "the"], StringComparer.OrdinalIgnoreCase);

    private static readonly HashSet<string> Defines = new(["is", "are", "means"], StringComparer.OrdinalIgnoreCase);

    /// <summary>An answer that is written already, piece by piece.</summary>
    public static async IAsyncEnumerable<ModelPiece> StreamAsync(string whole, int maxTokens, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var answer = OutputLimit.Cut(whole, OutputLimit.Characters(maxTokens));
        for (var start = 0; start < answer.Length;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var space = answer.IndexOfAny([' ', '\n'], start);
            var end = space < 0 ? answer.Length : space + 1;
            yield return new(answer[start..end]);
            start = end;
            // Lets readers of the stream run between two words.
            await Task.Yield();
        }

        yield return new("") { Finish = answer.Length < whole.Length ? ModelFinish.Length : ModelFinish.Stop, Model = ModelNames.Offline };
    }

    /// <summary>Null when no passage covers the question.</summary>
    /// <param name="question">The question with its context: the text that the book was searched for.</param>
    /// <param name="message">The question as the reader asked it.</param>
    /// <param name="passages">What may be quoted, best first. A citation is the place in this list, from 1.</param>
    /// <param name="quotedFrom">The line above a quotation, with <c>{heading}</c> for its headings.</param>
    public static OfflineAnswer? Answer(string question, string message, IReadOnlyList<Passage> passages, string quotedFrom)
    {
        var asked = new AskedFact(message);
        question = Spelling.CorrectBy([.. passages.Select(p => p.Terms)], question);
        var sources = passages.Select((passage, rank) => new Source(passage, rank)).Where(s => s.Sentences.Length > 0).ToArray();
        var coverage = Coverage.Among(question, [.. sources.SelectMany(s => s.Sentences).Select(s => s.Terms)]);
        foreach (var source in sources)
            source.Compare(coverage);
        var least = coverage.Weights.Count > MuchWords ? LeastCoverageOfMuch : LeastCoverage;
        var nearest = sources.Where(s => s.Nearness >= 0).MaxBy(s => s.Nearness);
        // A word that all candidates have weighs little among them, but not in the book.
        if (nearest is null && !sources.Any(s => Math.Max(s.Coverage, coverage.Of(s.Degrees)) >= least))
            return null;

        var words = Words(question);
        // "URDF nedir?" and "What does URDF stand for?" have no other word that says something.
        var isOneTerm = coverage.AreEveryday.Count(isEveryday => !isEveryday) == 1;
        var kind = new Kind(
            isOneTerm,
            IsDefinition: isOneTerm || (words.Length > 1 && words[0].Equals("what", StringComparison.OrdinalIgnoreCase) && Defines.Contains(words[1])),
            AsksForCode: words.Any(AsksForCode.Contains));
        foreach (var sentence in kind.IsDefinition ? sources.SelectMany(s => s.Sentences) : [])
            sentence.IsSpelledOut = Acronym.IsSpelledOut(words, sentence.Quote.Text);
        var chosen = Choose(sources, coverage, kind);
        // A question in another language, or in quite other words, shares no word with the passage that is near to it.
        if (chosen.Count == 0 && nearest is not null)
        {
            chosen = [nearest.Sentences[0]];
            AddWhatFollows(chosen, EnoughElsewhere);
        }

        if (chosen.Count == 0 || (nearest is null && sources.Max(s => s.Coverage) is > 0 and < EnoughWithoutFact && !HasFact(chosen, asked)))
            return null;
        return new(Write(chosen, quotedFrom, wantsCode: words.Any(MayWantCode.Contains)), IsWhole(chosen, coverage, kind, asked));
    }

    private static bool HasFact(List<Sentence> chosen, AskedFact asked) => chosen.Exists(sentence =>
        sentence.Source.HoldsSelection || (sentence.Degrees.Any(degree => degree > 0) && asked.IsKindOf(sentence.Source.Heading, sentence.Quote.Text)));

    private static bool IsWhole(List<Sentence> chosen, Coverage coverage, Kind kind, AskedFact asked) => chosen.Exists(sentence =>
    {
        if (sentence.Source.HoldsSelection)
            return true;
        var next = chosen.Find(s => s.Source == sentence.Source && s.Position == sentence.Position + 1);
        return coverage.Of(Coverage.Most(sentence.Degrees, next?.Degrees ?? sentence.Degrees)) >= Whole
            && (coverage.Weights.Count > 1 || Explains(sentence, coverage, kind) > 1 || coverage.Of(sentence.Source.HeadingDegrees) >= Whole)
            && asked.MayBeIn(sentence.Source.Heading, $"{sentence.Quote.Text} {next?.Quote.Text}", isShort: coverage.Weights.Count <= FewWords);
    });

    /// <summary>Takes the best sentence of the best passage and those that add to it, then the best of each passage that scores nearly as well
    /// and has words of the question that were not yet quoted.</summary>
    private static List<Sentence> Choose(Source[] sources, Coverage coverage, Kind kind)
    {
        var said = new double[coverage.Weights.Count];
        var ranked = sources
            .Select(s => (Source: s, Best: s.Sentences.Max(sentence => Worth(sentence, coverage, said, kind))))
            .OrderByDescending(s => s.Best / (1 + (LaterPassage * s.Source.Rank)))
            .ToArray();

        var chosen = new List<Sentence>();
        foreach (var (source, best) in ranked.Where(s => s.Best > 0 && s.Best >= LeastWorthElsewhere * ranked[0].Best))
        {
            var isFirst = chosen.Count == 0;
            var quoted = new List<Sentence>();
            while (quoted.Count < (isFirst ? MostSentences : 1))
            {
                var (next, worth) = source.Sentences.Except(quoted)
                    .Where(s => !chosen.Exists(c => c.Folded == s.Folded) && (isFirst || Added(s, coverage, said) >= LeastAdded))
                    .Select(s => (Sentence: s, Worth: Worth(s, coverage, said, kind)))
                    .OrderByDescending(s => s.Worth)
                    .FirstOrDefault();
                // The best sentence of the first passage is always quoted.
                var least = isFirst && quoted.Count == 0 ? 0 : LeastWorth * best;
                if (next is null || worth <= 0 || worth < least)
                    break;

                quoted.Add(next);
                said = Coverage.Most(said, next.Degrees, source.HeadingDegrees);
                if (Before(next) is { } before && !quoted.Contains(before))
                    quoted.Add(before);
            }

            AddWhatFollows(quoted, isFirst ? EnoughSentences : EnoughElsewhere);
            chosen.AddRange(quoted);
            if (chosen.DistinctBy(s => s.Source).Count() == MostPassages)
                break;
        }

        return chosen;
    }

    /// <summary>The share of the question that a sentence has and what was said has not. Everyday words, such as "difference", add nothing.</summary>
    private static double Added(Sentence sentence, Coverage coverage, double[] said) =>
        coverage.Weights.Select((weight, i) => coverage.AreEveryday[i] ? 0 : weight * Math.Max(0, sentence.Degrees[i] - said[i])).Sum() / coverage.Weights.Sum();

    /// <summary>Adds the sentences after the best one, because they explain it.</summary>
    private static void AddWhatFollows(List<Sentence> quoted, int enough)
    {
        for (var after = quoted.FirstOrDefault(); after is not null && quoted.Count < enough;)
        {
            after = Array.Find(after.Source.Sentences, s => s.Position == after.Position + 1 && s.Quote.Block == after.Quote.Block);
            if (after is not null && !quoted.Contains(after))
                quoted.Add(after);
        }
    }

    private static double Worth(Sentence sentence, Coverage coverage, double[] said, Kind kind)
    {
        var own = coverage.Weights.Zip(sentence.Degrees, said).Sum(w => w.First * (Math.Max(0, w.Second - w.Third) + (Repeated * Math.Min(w.Second, w.Third))));
        if (own <= 0)
            return 0;

        var heading = coverage.Weights.Zip(sentence.Source.HeadingDegrees, (weight, degree) => weight * degree).Sum();
        var opening = sentence.Quote is { IsFirst: true, Block: 0 } ? 1.25 : 1;
        var defining = Explains(sentence, coverage, kind);
        // A long sentence is less to the point, and a question or the end of a sentence answers nothing.
        var length = 1 / (1 + (0.15 * Math.Log(1 + (sentence.Terms.Frequencies.Count / 12.0))));
        var form = sentence.Quote.TableHead is not null ? 0.8 : sentence.Quote.Text.EndsWith('?') || sentence.Quote.GoesOn ? 0.4 : 1;

        var coding = kind.AsksForCode && sentence.Quote.Code is not null ? 1.5 : 1;

        return (own + (0.5 * heading)) * opening * defining * length * form * coding;
    }

    /// <summary>How much more a sentence is worth that says what the question's term is; 1 for others.</summary>
    private static double Explains(Sentence sentence, Coverage coverage, Kind kind) =>
        !kind.IsDefinition ? 1
        : sentence.IsSpelledOut ? 3
        : IsDefinition(sentence, coverage) ? 2
        : kind.IsOneTerm && IsSubject(sentence, coverage) ? 1.5
        : 1;

    /// <summary>"What is a node in ROS?" is answered by "A node is …", and neither by "In ROS it is …" nor by "Stopping nodes is …".</summary>
    private static bool IsDefinition(Sentence sentence, Coverage coverage)
    {
        var words = Words(sentence.Quote.Text);
        return Array.FindIndex(words, Defines.Contains) is > 0 and < 8 and var verb
            && IsIn(words[verb - 1], coverage) && (words[..verb].Any(Articles.Contains) || IsIn(words[0], coverage)) && words.ElementAtOrDefault(verb + 1) != "not";
    }

    /// <summary>"What is a lidar?" is answered by "A lidar sends out …".</summary>
    private static bool IsSubject(Sentence sentence, Coverage coverage) =>
        Words(sentence.Quote.Text) is [var first, ..] words && (Articles.Contains(first) ? words.Skip(1).Take(3) : words.Take(2)).Any(word => IsIn(word, coverage));

    private static bool IsIn(string word, Coverage coverage) => coverage.Degrees(TextAnalyzer.Analyze(word)).Any(degree => degree > 0);

    private static Sentence? Before(Sentence sentence)
    {
        if (!sentence.Quote.GoesOn
            && (sentence.Quote.IsFirst || sentence.Quote.TableHead is not null || Words(sentence.Quote.Text) is not [var first, ..] || !RefersBack.Contains(first)))
            return null;

        return Array.Find(sentence.Source.Sentences, s => s.Position == sentence.Position - 1);
    }

    private static string Write(List<Sentence> chosen, string quotedFrom, bool wantsCode)
    {
        var answer = new StringBuilder();
        var code = wantsCode ? chosen[0].Quote.Code : null;
        foreach (var group in chosen.GroupBy(s => s.Source))
        {
            if (answer.Length > 0)
                answer.Append("\n\n");
            if (group.Key.Heading is { Length: > 0 } heading)
                answer.Append(quotedFrom.Replace("{heading}", $"*{Plain(heading)}*", StringComparison.Ordinal)).Append("\n\n");

            answer.Append(Quoted([.. group.OrderBy(s => s.Position)], $" [{group.Key.Rank + 1}]"));
            if (group.Key == chosen[0].Source && code is not null)
                answer.Append("\n\n").Append(code);
        }

        return answer.ToString();
    }

    /// <summary>The chosen sentences of one passage as a block quote, with an ellipsis for what is left out.</summary>
    private static string Quoted(Sentence[] sentences, string marker)
    {
        var text = new StringBuilder();
        Sentence? last = null;
        foreach (var sentence in sentences)
        {
            var quote = sentence.Quote;
            if (quote.TableHead is not null)
            {
                var isNew = last?.Quote.TableHead is null || last.Quote.Block != quote.Block;
                text.Append(last is null ? "" : isNew ? "\n\n" : "\n").Append(isNew ? $"{quote.TableHead}\n" : "").Append(quote.Text);
            }
            else
            {
                text.Append(last is null ? "" : last.Quote.TableHead is not null || last.Quote.List is not null ? "\n\n" : last.Position + 1 == sentence.Position ? " " : " … ");
                text.Append(quote.Text);
                if (quote.List is not null)
                    text.Append("\n\n").Append(quote.List);
            }

            last = sentence;
        }

        // On a table's line the marker would become a cell.
        text.Append(last?.Quote.TableHead is not null ? $"\n\n{marker.TrimStart()}" : marker);

        return "> " + text.ToString().TrimEnd().ReplaceLineEndings("\n").Replace("\n", "\n> ", StringComparison.Ordinal).Replace("> \n", ">\n", StringComparison.Ordinal);
    }

    /// <summary>A heading that cannot be mistaken for a citation or end its emphasis.</summary>
    private static string Plain(string heading) =>
        heading.Replace('[', '(').Replace(']', ')').Replace("*", "", StringComparison.Ordinal).Replace('\n', ' ').Trim();

    private static string[] Words(string text) =>
        text.Split([' ', '\n', '\t', ',', '.', '?', '!', ':', ';', '"', '(', ')', '؟', '،', '۔'], StringSplitOptions.RemoveEmptyEntries);

    private sealed record Kind(bool IsOneTerm, bool IsDefinition, bool AsksForCode);

    /// <summary>A passage divided into sentences.</summary>
    private sealed class Source
    {
        private readonly AnalyzedText _headingTerms;

        public Source(Passage passage, int rank)
        {
            (Heading, Rank, Coverage, Nearness, HoldsSelection) = (passage.Headings, rank, passage.Coverage, passage.Nearness, passage.HoldsSelection);
            _headingTerms = TextAnalyzer.Analyze(Heading);
            Sentences = [.. QuotableMarkdown.Split(passage.Text).Select((quote, position) => new Sentence(this, quote, position))];
        }

        public string Heading { get; }

        public int Rank { get; }

        public double Coverage { get; }

        public double? Nearness { get; }

        public bool HoldsSelection { get; }

        public Sentence[] Sentences { get; }

        /// <summary>The degree to which the headings, or all of the passage, have each word of the question.</summary>
        public double[] HeadingDegrees { get; private set; } = [];

        public double[] Degrees { get; private set; } = [];

        public void Compare(Coverage question)
        {
            foreach (var sentence in Sentences)
                sentence.Degrees = question.Degrees(sentence.Terms);
            HeadingDegrees = question.Degrees(_headingTerms);
            Degrees = Search.Words.Coverage.Most([HeadingDegrees, .. Sentences.Select(s => s.Degrees)]);
        }
    }

    private sealed class Sentence(Source source, Quote quote, int position)
    {
        public Source Source { get; } = source;

        public Quote Quote { get; } = quote;

        public int Position { get; } = position;

        public AnalyzedText Terms { get; } = TextAnalyzer.Analyze(quote.Text);

        public double[] Degrees { get; set; } = [];

        /// <summary>Whether it says what an acronym of the question means.</summary>
        public bool IsSpelledOut { get; set; }

        public string Folded { get; } = TextAnalyzer.Fold(quote.Text);
    }
}
