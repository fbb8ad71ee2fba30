using System.Text;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>
/// Terms as a sparse vector whose dot product, with the inverse document frequency that Qdrant multiplies in, is BM25
/// (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009).
/// </summary>
internal static class Bm25Vector
{
    private const double K1 = 1.2;
    private const double B = 0.75;

    /// <summary>
    /// Stored vectors cannot follow the book's mean length, so it is a constant near the chunker's mean (73 terms in the
    /// sample book). It only affects how strongly a passage's length counts.
    /// </summary>
    private const double MeanLength = 75;

    /// <summary>The vector of a passage: term frequencies, saturated and normalized by its length.</summary>
    public static QdrantSparse OfPassage(AnalyzedText terms)
    {
        var k = K1 * (1 - B + (B * terms.Length / MeanLength));
        return Of(terms.Frequencies.Select(t => (t.Key, t.Value * (K1 + 1) / (t.Value + k))));
    }

    /// <summary>The vector of a question: its term frequencies.</summary>
    public static QdrantSparse OfQuery(IEnumerable<QueryTerm> terms) => Of(terms.Select(t => (t.Term, (double)t.Frequency)));

    /// <summary>The index of a term: FNV-1a of its UTF-8 bytes, the same in every process and version.</summary>
    public static uint IndexOf(string term) =>
        Encoding.UTF8.GetBytes(term).Aggregate(2166136261u, (hash, next) => unchecked((hash ^ next) * 16777619u));

    /// <summary>Terms with the same hash (a few among 50,000) are added up: Qdrant requires distinct indices.</summary>
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
