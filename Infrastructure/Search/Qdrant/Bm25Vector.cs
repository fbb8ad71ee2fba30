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
    /// A vector is stored once, so the mean length must not move with the book: this is about what the chunker's passages
    /// have (measured on the sample book: 73 terms). Only how strongly length counts depends on it.
    /// </summary>
    private const double MeanLength = 75;

    /// <summary>A passage: how often each term occurs, saturated and for its length.</summary>
    public static QdrantSparse OfPassage(AnalyzedText terms)
    {
        var k = K1 * (1 - B + (B * terms.Length / MeanLength));
        return Of(terms.Frequencies.Select(t => (t.Key, t.Value * (K1 + 1) / (t.Value + k))));
    }

    /// <summary>A question: how often it has each term.</summary>
    public static QdrantSparse OfQuery(IEnumerable<QueryTerm> terms) => Of(terms.Select(t => (t.Term, (double)t.Frequency)));

    /// <summary>The place of a term: FNV-1a over its UTF-8, the same in every process and version.</summary>
    public static uint IndexOf(string term) =>
        Encoding.UTF8.GetBytes(term).Aggregate(2166136261u, (hash, next) => unchecked((hash ^ next) * 16777619u));

    /// <summary>Two terms in one place (a few in a book of 50,000 terms) count as one: Qdrant takes each index once.</summary>
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
