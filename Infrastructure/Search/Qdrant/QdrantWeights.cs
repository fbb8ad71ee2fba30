using System.Collections.Concurrent;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>The inverse document frequencies of terms in one revision of the book. Qdrant does not report them: the score of a one-term query's
/// best passage is this frequency times the passage's own value. They are kept, because they change only with the book.</summary>
/// <param name="revision">Null if the book has none yet; then nothing is kept.</param>
internal sealed class QdrantWeights(Guid? revision, double passages)
{
    /// <summary>The most terms to keep: readers may ask for any word. That is 15 MB at most.</summary>
    private const int MaxTerms = 50_000;

    private readonly ConcurrentDictionary<string, double?> _rarities = new(StringComparer.Ordinal);

    public double Passages => passages;

    public bool AreOf(Guid? other) => revision is not null && revision == other && _rarities.Count < MaxTerms;

    /// <summary>The terms that have to be asked for.</summary>
    public string[] Missing(IEnumerable<string> terms) => [.. terms.Where(term => !_rarities.ContainsKey(term))];

    /// <summary>Null for a term that no passage has.</summary>
    public Dictionary<string, double?> Of(IEnumerable<string> terms) => terms.ToDictionary(term => term, term => _rarities[term]);

    public static QdrantQuery QueryOf(string term) =>
        new() { Query = Bm25Vector.OfQuery([new(term, 1)]), Using = QdrantPassageIndex.Sparse, Limit = 1, WithPayload = false, WithVector = [QdrantPassageIndex.Sparse] };

    /// <param name="answers">To <see cref="QueryOf"/> each term, asked after the revision was read.</param>
    public void Add(IReadOnlyList<string> terms, IReadOnlyList<IReadOnlyList<QdrantRecord<QdrantPayload>>> answers)
    {
        foreach (var (term, best) in terms.Zip(answers))
            _rarities[term] = best is [{ Vector: { } vectors, Score: var score }] && vectors.TryGetValue(QdrantPassageIndex.Sparse, out var sparse) && sparse.ValueOf(term) is > 0 and var value
                ? score / value
                : null;
    }
}
