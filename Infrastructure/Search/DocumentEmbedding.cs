using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Infrastructure.Search;

/// <summary>Embeds a document outside of an ingest job.</summary>
internal static class DocumentEmbedding
{
    /// <summary>The vectors of a document's passages by their content keys; none without an embedder, or if its server does not embed.</summary>
    /// <exception cref="ModelException">Every other failure.</exception>
    public static async Task<IReadOnlyDictionary<Guid, ReadOnlyMemory<float>>> EmbedAsync(
        this IEmbedder? embedder, IndexedDocument document, CancellationToken cancellationToken)
    {
        if (embedder is null)
            return new Dictionary<Guid, ReadOnlyMemory<float>>();
        var passages = Passage.Of(document).DistinctBy(p => p.ContentKey(embedder.Model)).ToArray();
        try
        {
            var vectors = await embedder.EmbedAsync([.. passages.Select(p => p.EmbeddedText)], cancellationToken);
            return passages.Zip(vectors).ToDictionary(p => p.First.ContentKey(embedder.Model), p => p.Second);
        }
        catch (ModelException e) when (e.IsMissing)
        {
            // The embedder has logged it.
            return new Dictionary<Guid, ReadOnlyMemory<float>>();
        }
    }
}
