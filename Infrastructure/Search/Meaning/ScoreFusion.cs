namespace ChatBackend.Infrastructure.Search.Meaning;

/// <summary>
/// Fuses the passages found by words with those found by meaning: the scores of each list are scaled to 0 to 1 and added with weights.
/// Scores tell how much better a passage is than the next one, which ranks do not (Bruch, Gai and Ingber, "An Analysis of Fusion
/// Functions for Hybrid Retrieval", ACM Transactions on Information Systems 42(1), 2023). docs/retrieval.md compares the two.
/// </summary>
internal static class ScoreFusion
{
    /// <summary>Each list should have at least this many passages, or as many as are wanted of the fused one.</summary>
    public const int ListLength = 50;

    private const double Words = 0.5;

    /// <summary>Scores from 0 to 1 by passage. A passage in only one of the lists scores 0 in the other.</summary>
    /// <param name="byWords">BM25 scores, best first.</param>
    /// <param name="byMeaning">Cosine similarities, best first.</param>
    public static Dictionary<Guid, double> Fuse(
        IReadOnlyList<(Guid Id, double Score)> byWords, IReadOnlyList<(Guid Id, double Score)> byMeaning, int limit = ListLength)
    {
        var fused = new Dictionary<Guid, double>();
        foreach (var (id, score) in Scale(byWords, limit))
            fused[id] = Words * score;
        foreach (var (id, score) in Scale(byMeaning, limit))
            fused[id] = fused.GetValueOrDefault(id) + ((1 - Words) * score);
        return fused;
    }

    /// <summary>The best score becomes 1. Of a full list, the last one becomes 0, because what is not in the list scores at most that.
    /// A shorter list has every passage that scores at all, so 0 stays 0, and near equals stay near.</summary>
    private static IEnumerable<(Guid Id, double Score)> Scale(IReadOnlyList<(Guid Id, double Score)> list, int limit)
    {
        if (list.Count == 0 || list[0].Score <= 0)
            return [];
        var (best, floor) = (list[0].Score, list.Count < limit ? 0 : list[^1].Score);
        return list.Select(l => (l.Id, best > floor ? Math.Max(0, (l.Score - floor) / (best - floor)) : 1));
    }
}
