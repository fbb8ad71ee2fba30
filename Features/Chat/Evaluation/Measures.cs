namespace ChatBackend.Features.Chat.Evaluation;

/// <summary>Measures of one ranking (Manning, Raghavan and Schütze, "Introduction to Information Retrieval", chapter 8).</summary>
internal static class Measures
{
    /// <summary>How many passages are ranked where a measure looks at more than an answer's passages.</summary>
    public const int Deepest = 100;

    private const int DeepEnoughForOne = 20;

    /// <summary>With one relevant text a question, what is found further down hardly changes a measure, and takes most of the time.</summary>
    public static int DepthFor(QuestionSet set) => set.Questions.Any(q => q.Places.Count > 1) ? Deepest : DeepEnoughForOne;

    /// <summary>The share of what is relevant that is among the first <paramref name="k"/>.</summary>
    public static double Recall(Outcome outcome, int k) => Hits(outcome, k) / (double)outcome.Question.Places.Count;

    /// <summary>1 if any of the places that answer the question is among the first <paramref name="k"/>: one of them is enough.</summary>
    public static double Success(Outcome outcome, int k) => outcome.Rank <= k ? 1 : 0;

    public static double ReciprocalRank(Outcome outcome, int k) => outcome.Rank is { } rank && rank <= k ? 1.0 / rank : 0;

    public static double AveragePrecision(Outcome outcome)
    {
        var hits = 0;
        var sum = 0.0;
        for (var i = 0; i < outcome.Relevances.Count; i++)
            if (outcome.Relevances[i] > 0)
                sum += ++hits / (i + 1.0);
        return sum / outcome.Question.Places.Count;
    }

    /// <summary>Normalized discounted cumulative gain, with the relevance as the gain, as trec_eval computes it.</summary>
    public static double Ndcg(Outcome outcome, int k)
    {
        return Gain(outcome.Relevances) / Gain(outcome.Question.Places.Select(p => p.Relevance).OrderDescending());

        double Gain(IEnumerable<int> relevances) => relevances.Take(k).Select((relevance, i) => relevance / Math.Log2(i + 2)).Sum();
    }

    /// <param name="sorted">In ascending order.</param>
    public static double? Quantile(double[] sorted, double share) =>
        sorted.Length == 0 ? null : sorted[Math.Min(sorted.Length - 1, (int)Math.Ceiling(share * sorted.Length) - 1)];

    private static int Hits(Outcome outcome, int k) => outcome.Relevances.Take(k).Count(r => r > 0);
}
