using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search;

/// <summary>Drops passages that nearly repeat a better one, such as repeated installation steps.</summary>
internal static class NearDuplicates
{
    private const int ShingleWords = 4;

    /// <summary>Two texts are near-duplicates if their shingles have at least this Jaccard similarity (Broder 1997).</summary>
    private const double Threshold = 0.8;

    public static IReadOnlyList<Passage> Cut(IEnumerable<Passage> ranked, int limit)
    {
        var kept = new List<Passage>(limit);
        var shingles = new List<HashSet<int>>(limit);
        foreach (var passage in ranked)
        {
            if (kept.Count == limit)
                break;
            var own = Shingles(passage.Text);
            if (shingles.Exists(other => AreAlike(own, other)))
                continue;
            kept.Add(passage);
            shingles.Add(own);
        }

        return kept;
    }

    private static HashSet<int> Shingles(string text)
    {
        var words = TextAnalyzer.Fold(text).Split(' ');
        var shingles = new HashSet<int>();
        for (var i = 0; i == 0 || i + ShingleWords <= words.Length; i++)
        {
            var hash = new HashCode();
            foreach (var word in words.AsSpan(i, Math.Min(ShingleWords, words.Length - i)))
                hash.Add(word);
            shingles.Add(hash.ToHashCode());
        }

        return shingles;
    }

    private static bool AreAlike(HashSet<int> one, HashSet<int> other)
    {
        if (Math.Min(one.Count, other.Count) < Threshold * Math.Max(one.Count, other.Count))
            return false;
        var common = one.Count(other.Contains);
        return common >= Threshold * (one.Count + other.Count - common);
    }
}
