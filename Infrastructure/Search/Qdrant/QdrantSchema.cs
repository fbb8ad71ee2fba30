using System.Text.Json;
using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>Whether the collection has the vectors that this service writes and searches.</summary>
internal sealed class QdrantSchema(QdrantClient client, IEmbedder? embedder, TimeProvider time, ILogger<QdrantSchema> log)
{
    /// <summary>How long a search may not notice that another process has replaced the collection.</summary>
    private static readonly TimeSpan Kept = TimeSpan.FromSeconds(5);

    private (long At, int? Dimensions)? _known;
    private string? _logged;

    /// <summary>A few words on the collection, for readiness.</summary>
    /// <exception cref="SearchException">Misconfigured, or unavailable.</exception>
    public async Task<string> DescribeAsync(CancellationToken cancellationToken)
    {
        if (await client.GetCollectionInfoAsync(cancellationToken) is not { } collection)
            return "no book yet";
        Require(collection);
        return embedder?.KnownDimensions is { } dimensions && DimensionsOf(collection) is var size && size != dimensions ? throw Misfit(size, dimensions) : "reachable";
    }

    /// <summary>False if the collection has vectors of another size, so that words alone can be searched; the log says so once.</summary>
    /// <param name="dimensions">Of the question's vector; null if only words are searched.</param>
    /// <exception cref="SearchException">The collection has no words either: it is somebody else's.</exception>
    public async Task<bool> TakesAsync(int? dimensions, CancellationToken cancellationToken)
    {
        if (_known is { } known && time.GetElapsedTime(known.At) < Kept && (dimensions is null || known.Dimensions == dimensions))
            return true;
        var at = time.GetTimestamp();
        if (await client.GetCollectionInfoAsync(cancellationToken) is not { } collection)
            return true;

        Require(collection);
        var size = DimensionsOf(collection);
        _known = (at, size);
        if (dimensions is null || size == dimensions)
            return true;
        var problem = Misfit(size, dimensions.Value).Message;
        if (_logged != problem)
            log.LogWarning("Searching with words alone: {Problem}", _logged = problem);
        return false;
    }

    /// <exception cref="SearchException">Misconfigured.</exception>
    public void Require(QdrantCollection collection, int? dimensions = null)
    {
        var isOurs = collection.Config.Params is { SparseVectors: { ValueKind: JsonValueKind.Object } sparse }
            && sparse.TryGetProperty(QdrantPassageIndex.Sparse, out var words)
            && words.ValueKind == JsonValueKind.Object && words.TryGetProperty("modifier", out var modifier) && modifier.ValueEquals("idf");
        if (!isOurs)
        {
            throw SearchException.Misconfigured(
                "QDRANT_COLLECTION", $"The collection \"{client.Collection}\" was not made by this service: set QDRANT_COLLECTION to another name, and ingest the book.");
        }

        if (dimensions is { } wanted && DimensionsOf(collection) is var size && size != wanted)
            throw Misfit(size, wanted);
    }

    private SearchException Misfit(int? size, int dimensions) => SearchException.Misconfigured(
        "QDRANT_COLLECTION",
        $"{embedder?.Model} has {dimensions} dimensions, but the collection \"{client.Collection}\" {(size is null ? "has no vectors of ours" : $"was made for {size}")}: "
        + "set OPENAI_EMBEDDING_MODEL to the model that it was made with, or QDRANT_COLLECTION to another name, and ingest the book.");

    private static int? DimensionsOf(QdrantCollection collection) =>
        collection.Config.Params is { Vectors: { ValueKind: JsonValueKind.Object } vectors }
        && vectors.TryGetProperty(QdrantPassageIndex.Dense, out var dense) && dense.ValueKind == JsonValueKind.Object && dense.TryGetProperty("size", out var size)
            ? size.GetInt32()
            : null;
}
