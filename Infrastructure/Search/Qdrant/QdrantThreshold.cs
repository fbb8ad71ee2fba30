using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Search.Meaning;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>Measures how similar the book is to questions that it does not answer (<see cref="SimilarityMeasure"/>), and keeps it in a point of its own.</summary>
internal sealed class QdrantThreshold(QdrantCollections collections, QdrantDocuments documents, IEmbedder? embedder, string language, ILogger<QdrantThreshold> log)
{
    private static readonly Guid Id = UuidVersion5.Create(QdrantDocuments.Namespace, "\nthreshold");

    public async Task MeasureAsync(CancellationToken cancellationToken)
    {
        if (embedder is null)
            return;
        var indexed = await documents.GetAsync(cancellationToken);
        if (indexed.Count == 0)
            return;
        var written = await collections.EnsureWrittenAsync(cancellationToken);
        var known = await written.RetrieveAsync([Id], cancellationToken) is [{ Payload: QdrantMeasured stored }] && IsOurs(stored, dimensions: null)
            ? new MeasuredSimilarity(stored.Value, stored.Dimensions, stored.Basis) : null;
        if (await new SimilarityMeasure(embedder, language, log).RunAsync(indexed, known, FindAsync, cancellationToken) is { } measured)
            await written.UpsertAsync(
                [new(Id, new Dictionary<string, object>(), new QdrantMeasured(measured.Value, embedder.Model, measured.Dimensions, measured.Basis))], cancellationToken);

        async Task<IEnumerable<double>> FindAsync(IReadOnlyList<ReadOnlyMemory<float>> meanings)
        {
            var answers = await written.QueryBatchAsync(
                [.. meanings.Select(meaning => new QdrantQuery { Query = meaning, Using = QdrantPassageIndex.Dense, Limit = 1, WithPayload = false })], cancellationToken, isReaders: false);
            return answers.SelectMany(a => a).Select(r => r.Score);
        }
    }

    /// <summary>The value is null if it was not measured yet. <c>IsOthers</c> if another model's vectors have just begun to answer.</summary>
    /// <param name="dimensions">Of the question's vector.</param>
    public (double? Value, bool IsOthers) Of(QdrantMeasured? measured, int dimensions) =>
        measured is null ? (null, false) : IsOurs(measured, dimensions) ? (measured.Value, false) : (null, true);

    /// <param name="dimensions">Null if they are not known.</param>
    private bool IsOurs(QdrantMeasured measured, int? dimensions) =>
        measured.EmbeddingModel == embedder?.Model && (dimensions is null || measured.Dimensions == dimensions);
}
