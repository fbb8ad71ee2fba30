using System.Text;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>Terms as a sparse vector. Qdrant multiplies each term by its inverse document frequency, so the dot product is BM25
/// (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).</summary>
internal static class Bm25Vector
{
    /// <summary>Term frequencies, saturated and normalized by the passage's length.</summary>
    public static QdrantSparse OfPassage(AnalyzedText terms) =>
        Of(terms.Frequencies.Select(t => (t.Key, t.Value * (Bm25.K1 + 1) / (t.Value + Bm25.Fixed + (Bm25.PerTerm * terms.Length)))));

    public static QdrantSparse OfQuery(IEnumerable<QueryTerm> terms) => Of(terms.Select(t => (t.Term, t.Weight)));

    /// <summary>The index of a term: FNV-1a of its UTF-8 bytes, the same in every process and version.</summary>
    public static uint IndexOf(string term) =>
        Encoding.UTF8.GetBytes(term).Aggregate(2166136261u, (hash, next) => unchecked((hash ^ next) * 16777619u));

    /// <summary>Adds up terms with the same hash (a few among 50,000), because Qdrant requires distinct indices.</summary>
    private static QdrantSparse Of(IEnumerable<(string Term, double Value)> terms)
    {
        var values = new SortedDictionary<uint, double>();
        foreach (var (term, value) in terms)
        {
            var index = IndexOf(term);
            values[index] = values.GetValueOrDefault(index) + value;
        }

        return new([.. values.Keys], [.. values.Values.Select(v => (float)v)]);
    }
}
