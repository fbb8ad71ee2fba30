using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Search.Meaning;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>Measures the similarity from which on a passage is related to a question (<see cref="UnrelatedQuestions"/>), and keeps it in a
/// point of its own.</summary>
internal sealed class QdrantThreshold(QdrantCollections collections, QdrantDocuments documents, IEmbedder? embedder, string language, ILogger<QdrantThreshold> log)
{
    /// <summary>Nobody waits for it, so a slow model has its time.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    private static readonly Guid Id = UuidVersion5.Create(QdrantDocuments.Namespace, "\nthreshold");

    /// <summary>Does nothing if it was measured for the same documents and the same model. If the model fails, the old value stays
    /// and the next ingest measures again.</summary>
    public async Task MeasureAsync(CancellationToken cancellationToken)
    {
        if (embedder is null)
            return;
        var indexed = await documents.GetAsync(cancellationToken);
        if (indexed.Count == 0)
            return;
        var written = await collections.EnsureWrittenAsync(cancellationToken);
        var questions = UnrelatedQuestions.In(language);
        var basis = UnrelatedQuestions.BasisOf(indexed, questions);
        if (await written.RetrieveAsync([Id], cancellationToken) is [{ Payload: QdrantMeasured known }] && known.Basis == basis && IsOurs(known, embedder.KnownDimensions))
            return;

        try
        {
            var meanings = await embedder.EmbedOnceAsync(questions, Limit, cancellationToken);
            var answers = await written.QueryBatchAsync(
                [.. meanings.Select(meaning => new QdrantQuery { Query = meaning, Using = QdrantPassageIndex.Dense, Limit = 1, WithPayload = false })], cancellationToken, isReaders: false);
            var nearest = answers.SelectMany(a => a).Select(r => r.Score).ToArray();
            if (nearest.Length == 0)
                return;
            var measured = new QdrantMeasured(UnrelatedQuestions.Threshold(nearest), embedder.Model, meanings[0].Length, basis);
            await written.UpsertAsync([new(Id, new Dictionary<string, object>(), measured)], cancellationToken);
        }
        catch (ModelException e)
        {
            log.LogWarning("The similarity of unrelated questions could not be measured ({Code}); the next ingest tries again", e.Code);
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
