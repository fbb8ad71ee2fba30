using System.Security.Cryptography;
using System.Text;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Search.Meaning;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>Measures the similarity from which on a passage is related to a question (<see cref="UnrelatedQuestions"/>), and keeps it in a
/// point of its own.</summary>
internal sealed class QdrantThreshold(QdrantClient client, QdrantDocuments documents, IEmbedder? embedder, string language, ILogger<QdrantThreshold> log)
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
        var questions = UnrelatedQuestions.In(language);
        var basis = BasisOf(indexed, questions);
        if (await FindAsync(embedder.KnownDimensions, cancellationToken) is { } known && known.Basis == basis)
            return;

        try
        {
            var meanings = await embedder.EmbedOnceAsync(questions, Limit, cancellationToken);
            var answers = await client.QueryBatchAsync<QdrantPassage>(
                [.. meanings.Select(meaning => new QdrantQuery { Query = meaning, Using = QdrantPassageIndex.Dense, Limit = 1, WithPayload = false })], cancellationToken);
            var nearest = answers.SelectMany(a => a).Select(r => r.Score).ToArray();
            if (nearest.Length == 0)
                return;
            var measured = new QdrantMeasured(QdrantFields.Threshold, UnrelatedQuestions.Threshold(nearest), embedder.Model, meanings[0].Length, basis);
            await client.UpsertAsync([new(Id, new Dictionary<string, object>(), measured)], cancellationToken);
        }
        catch (ModelException e)
        {
            log.LogWarning("The similarity of unrelated questions could not be measured ({Code}); the next ingest tries again", e.Code);
        }
    }

    /// <summary>Null if it was not measured with this model.</summary>
    /// <param name="dimensions">Of the question's vector.</param>
    public async Task<double?> GetAsync(int dimensions, CancellationToken cancellationToken) => (await FindAsync(dimensions, cancellationToken))?.Value;

    /// <param name="dimensions">Null if they are not known.</param>
    private async Task<QdrantMeasured?> FindAsync(int? dimensions, CancellationToken cancellationToken)
    {
        var found = await client.RetrieveAsync<QdrantMeasured>([Id], cancellationToken);
        return found is [{ Payload: { } measured }] && measured.EmbeddingModel == embedder?.Model && (dimensions is null || measured.Dimensions == dimensions) ? measured : null;
    }

    /// <summary>A hash of everything that the value depends on.</summary>
    private static string BasisOf(IReadOnlyDictionary<string, string> indexed, IReadOnlyList<string> questions) => Convert.ToHexStringLower(SHA256.HashData(
        Encoding.UTF8.GetBytes(string.Join('\n', indexed.OrderBy(d => d.Key, StringComparer.Ordinal).Select(d => $"{d.Key}\t{d.Value}").Concat(questions)))));
}

/// <param name="Value">The similarity from which on a passage is related to a question.</param>
/// <param name="Basis">The documents and questions that it was measured with; another value makes it out of date.</param>
internal sealed record QdrantMeasured(string Kind, double Value, string EmbeddingModel, int Dimensions, string Basis);
