using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search;

/// <summary>Drops passages that nearly repeat a better one, such as repeated installation steps.</summary>
internal static class NearDuplicates
{
    private const int ShingleWords = 4;

    /// <summary>Two texts are near-duplicates if their shingles have at least this Jaccard similarity (Broder 1997).</summary>
    private const double Threshold = 0.8;

    /// <summary>Texts whose terms have less than this Jaccard similarity are not compared by their shingles: a word that differs changes four of them.</summary>
    private const double LeastCommonTerms = 0.5;

    public static IReadOnlyList<Passage> Cut(IEnumerable<Passage> ranked, int limit)
    {
        var kept = new List<Text>(limit);
        foreach (var passage in ranked)
        {
            if (kept.Count == limit)
                break;
            var text = new Text(passage);
            if (!kept.Exists(text.IsLike))
                kept.Add(text);
        }

        return [.. kept.Select(k => k.Passage)];
    }

    private sealed class Text(Passage passage)
    {
        private readonly HashSet<string> _terms = [.. passage.Sentences.SelectMany(sentence => sentence.Frequencies.Keys)];

        public Passage Passage => passage;

        private HashSet<int> Shingles => field ??= ShinglesOf(passage.Text);

        public bool IsLike(Text other) => AreAlike(_terms, other._terms, LeastCommonTerms) && AreAlike(Shingles, other.Shingles, Threshold);

        private static bool AreAlike<T>(HashSet<T> one, HashSet<T> other, double threshold)
        {
            if (Math.Min(one.Count, other.Count) < threshold * Math.Max(one.Count, other.Count))
                return false;
            var common = one.Count(other.Contains);
            return common >= threshold * (one.Count + other.Count - common);
        }

        private static HashSet<int> ShinglesOf(string text)
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
    }
}
