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
        await FindAliasedAsync(cancellationToken);
        return embedder is null || IsMadeFor(collection, embedder.KnownDimensions) ? "reachable" : throw Misfit(collection);
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
        var size = IsMadeFor(collection, dimensions) ? DimensionsOf(collection) : null;
        _known = (at, size);
        if (dimensions is null || size == dimensions)
            return true;
        var problem = Misfit(collection).Message;
        if (_logged != problem)
            log.LogWarning("Searching with words alone: {Problem}", _logged = problem);
        return false;
    }

    /// <summary>The same, of the collection as it is now.</summary>
    public Task<bool> TakesAgainAsync(int dimensions, CancellationToken cancellationToken)
    {
        _known = null;
        return TakesAsync(dimensions, cancellationToken);
    }

    /// <summary>True if it has the vectors of words that this service makes.</summary>
    public static bool IsOurs(QdrantCollection collection) =>
        collection.Config.Params is { SparseVectors: { ValueKind: JsonValueKind.Object } sparse }
        && sparse.TryGetProperty(QdrantPassageIndex.Sparse, out var words)
        && words.ValueKind == JsonValueKind.Object && words.TryGetProperty("modifier", out var modifier) && modifier.ValueEquals("idf");

    /// <exception cref="SearchException">Misconfigured.</exception>
    public void Require(QdrantCollection collection)
    {
        if (!IsOurs(collection))
        {
            throw SearchException.Misconfigured(
                "QDRANT_COLLECTION", $"The collection \"{client.Collection}\" was not made by this service: set QDRANT_COLLECTION to another name, and ingest the book.");
        }
    }

    /// <summary>The name of the collection behind the alias; null before the first ingest.</summary>
    /// <exception cref="SearchException">There is a collection where the alias should be.</exception>
    public async Task<string?> FindAliasedAsync(CancellationToken cancellationToken)
    {
        if (await client.GetAliasedAsync(cancellationToken) is { } found)
            return found;
        if (await client.GetCollectionInfoAsync(cancellationToken) is not { } collection)
            return null;
        // Another process may have made the alias in the meantime.
        if (await client.GetAliasedAsync(cancellationToken) is { } made)
            return made;
        Require(collection);
        throw SearchException.Misconfigured(
            "QDRANT_COLLECTION",
            $"QDRANT_COLLECTION has to be free for an alias, but \"{client.Collection}\" is a collection: delete it or set another name, and ingest the book.");
    }

    /// <summary>True if the collection was made for this process' embedding model.</summary>
    /// <param name="dimensions">Null if they are not known.</param>
    public bool IsMadeFor(QdrantCollection collection, int? dimensions) =>
        collection.Config.Metadata?.EmbeddingModel == (embedder?.Model ?? "") && (dimensions is null || DimensionsOf(collection) == dimensions);

    private SearchException Misfit(QdrantCollection collection)
    {
        var (model, wanted) = (collection.Config.Metadata?.EmbeddingModel is { Length: > 0 } name ? name : "no embedding model", embedder?.KnownDimensions);
        return SearchException.Misconfigured(
            "OPENAI_EMBEDDING_MODEL",
            $"The book was ingested with {model} ({DimensionsOf(collection)} dimensions), but OPENAI_EMBEDDING_MODEL is {embedder?.Model}"
            + $"{(wanted is null ? "" : $" ({wanted} dimensions)")}: words alone answer until the whole book is ingested with it.");
    }

    private static int? DimensionsOf(QdrantCollection collection) =>
        collection.Config.Params is { Vectors: { ValueKind: JsonValueKind.Object } vectors }
        && vectors.TryGetProperty(QdrantPassageIndex.Dense, out var dense) && dense.ValueKind == JsonValueKind.Object && dense.TryGetProperty("size", out var size)
            ? size.GetInt32()
            : null;
}
