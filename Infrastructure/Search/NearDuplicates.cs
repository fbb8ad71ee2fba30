using System.Numerics;
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
        /// <summary>One bit for each term, by its hash: few terms share one.</summary>
        private readonly ulong[] _terms = BitsOf(passage.Sentences);

        public Passage Passage => passage;

        private HashSet<int> Shingles => field ??= ShinglesOf(passage.Text);

        public bool IsLike(Text other) => HaveCommonTerms(_terms, other._terms) && AreAlike(Shingles, other.Shingles);

        private static bool HaveCommonTerms(ulong[] one, ulong[] other)
        {
            var (common, all) = (0, 0);
            for (var i = 0; i < one.Length; i++)
                (common, all) = (common + BitOperations.PopCount(one[i] & other[i]), all + BitOperations.PopCount(one[i] | other[i]));
            return common >= LeastCommonTerms * all;
        }

        private static bool AreAlike(HashSet<int> one, HashSet<int> other)
        {
            if (Math.Min(one.Count, other.Count) < Threshold * Math.Max(one.Count, other.Count))
                return false;
            var common = one.Count(other.Contains);
            return common >= Threshold * (one.Count + other.Count - common);
        }

        private static ulong[] BitsOf(IReadOnlyList<AnalyzedText> sentences)
        {
            var bits = new ulong[16];
            foreach (var sentence in sentences)
                foreach (var term in sentence.Frequencies.Keys)
                {
                    var hash = (uint)term.GetHashCode(StringComparison.Ordinal);
                    bits[hash / 64 % bits.Length] |= 1UL << (int)(hash % 64);
                }

            return bits;
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
