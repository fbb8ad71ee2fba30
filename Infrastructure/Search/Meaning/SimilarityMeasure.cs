using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Infrastructure.Search.Meaning;

/// <summary>Measures the similarity from which on a passage is related to a question, with the <see cref="UnrelatedQuestions"/>. Each index finds the
/// nearest passages and stores the value in its own way.</summary>
/// <param name="language">The book's language (BCP 47), in which unrelated questions are asked.</param>
internal sealed class SimilarityMeasure(IEmbedder embedder, string language, ILogger log)
{
    /// <summary>Nobody waits for it, so a slow model has its time.</summary>
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(1);

    /// <summary>Null if it was measured for the same documents and the same model, and if the model fails: then the old value stays, and the next ingest
    /// measures again.</summary>
    /// <param name="indexed">The content hashes of the book's documents by their paths.</param>
    /// <param name="known">What was measured last with the embedder's model; null if nothing was.</param>
    /// <param name="find">The similarity of the nearest passage to each question.</param>
    public async Task<MeasuredSimilarity?> RunAsync(
        IReadOnlyDictionary<string, string> indexed, MeasuredSimilarity? known, Func<IReadOnlyList<ReadOnlyMemory<float>>, Task<IEnumerable<double>>> find,
        CancellationToken cancellationToken)
    {
        var questions = UnrelatedQuestions.In(language);
        var basis = UnrelatedQuestions.BasisOf(indexed, questions);
        if (known is not null && known.Basis == basis && known.Dimensions == (embedder.KnownDimensions ?? known.Dimensions))
            return null;

        try
        {
            var meanings = await embedder.EmbedOnceAsync(questions, Limit, cancellationToken);
            var nearest = (await find(meanings)).ToArray();
            return nearest.Length > 0 ? new(UnrelatedQuestions.Threshold(nearest), meanings[0].Length, basis) : null;
        }
        catch (ModelException e)
        {
            log.LogWarning("The similarity of unrelated questions could not be measured ({Code}); the next ingest tries again", e.Code);
            return null;
        }
    }
}
