using System.Globalization;
using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>
/// Which collection answers, and which one an ingest writes. <c>QDRANT_COLLECTION</c> is an alias, of <c>textbook-1</c> at first. For another
/// embedding model an ingest fills <c>textbook-2</c> while the old collection answers; then the alias moves, and the old one is deleted.
/// </summary>
internal sealed class QdrantCollections(QdrantClient client, QdrantSchema schema, IEmbedder? embedder) : IDisposable
{
    /// <summary>The dimensions of a collection that is made without an embedder: those of the default model.</summary>
    private const int WithoutEmbedder = 1536;

    private static readonly TimeSpan ProbeLimit = TimeSpan.FromMinutes(1);

    private readonly SemaphoreSlim _one = new(1, 1);
    private QdrantClient? _written;

    /// <summary>The collection that an ingest writes, made if it does not exist. Two processes may make it at once.</summary>
    public async Task<QdrantClient> EnsureWrittenAsync(CancellationToken cancellationToken)
    {
        if (_written is { } known)
            return known;
        await _one.WaitAsync(cancellationToken);
        try
        {
            return _written ??= await MakeAsync(cancellationToken);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>The collections as they are now; null if there are none. An ingest begins with this.</summary>
    public async Task<(QdrantClient Answering, QdrantClient Written)?> FindAsync(CancellationToken cancellationToken)
    {
        Forget();
        var (answering, written) = await LocateAsync(await AskAsync(cancellationToken), cancellationToken);
        if (answering is null)
            return null;
        // Strict mode refuses to filter in a collection whose indexes were never made.
        await IndexAsync(client.In(answering), cancellationToken);
        if (written != answering && await IndexAsync(client.In(written), cancellationToken) is null)
            return (client.In(answering), await EnsureWrittenAsync(cancellationToken));
        return (client.In(answering), client.In(written));
    }

    /// <summary>Makes the written collection the one that answers.</summary>
    public Task MoveAsync(QdrantClient written, CancellationToken cancellationToken) => client.MoveAliasAsync(written.Collection, cancellationToken);

    /// <summary>Deletes our collections that do not answer: the one before the alias moved, also if the process that moved it died then, and what an
    /// ingest for another model left.</summary>
    public async Task DeleteOthersAsync(QdrantClient answering, CancellationToken cancellationToken)
    {
        var others = (await client.ListCollectionsAsync(cancellationToken)).Where(name => name != answering.Collection && NumberOf(name) is not null);
        foreach (var other in others.Select(client.In))
        {
            // A collection of somebody else's may have such a name.
            if (await other.GetCollectionInfoAsync(cancellationToken) is { Config.Metadata: not null } collection && QdrantSchema.IsOurs(collection))
                await other.DeleteCollectionAsync(cancellationToken);
        }
    }

    /// <summary>Deletes the collection that answers; its alias goes with it.</summary>
    public async Task DropAsync(CancellationToken cancellationToken)
    {
        if (await client.GetAliasedAsync(cancellationToken) is { } answering)
            await client.In(answering).DeleteCollectionAsync(cancellationToken);
        Forget();
    }

    /// <summary>To be called when the written collection is gone.</summary>
    public void Forget() => _written = null;

    public void Dispose() => _one.Dispose();

    private async Task<QdrantClient> MakeAsync(CancellationToken cancellationToken)
    {
        var embeddings = await AskAsync(cancellationToken);
        var (answering, name) = await LocateAsync(embeddings, cancellationToken);
        var written = client.In(name);
        var collection = await IndexAsync(written, cancellationToken);
        if (collection is not null && name != answering && !schema.IsMadeFor(collection, embeddings.Dimensions))
        {
            // An ingest for a third model did not end.
            await written.DeleteCollectionAsync(cancellationToken);
            collection = null;
        }

        if (collection is null)
        {
            await written.CreateCollectionAsync(
                new
                {
                    Vectors = new Dictionary<string, object> { [QdrantPassageIndex.Dense] = new { Size = embeddings.Dimensions ?? WithoutEmbedder, Distance = "Cosine" } },
                    SparseVectors = new Dictionary<string, object> { [QdrantPassageIndex.Sparse] = new { Modifier = "idf" } },
                    Metadata = new QdrantMetadata(embeddings.AreThere ? embedder!.Model : ""),
                },
                cancellationToken);
            collection = await IndexAsync(written, cancellationToken) ?? throw new SearchException(isUnavailable: true, "The search index did not make its collection.");
            if (collection.Config.Metadata is null)
                throw SearchException.Misconfigured("QDRANT_URL", "The server at QDRANT_URL is older than Qdrant 1.16, which is needed.");
        }

        if (answering is null)
            await client.MoveAliasAsync(name, cancellationToken);
        return written;
    }

    /// <summary>The names of the collections; the answering one is null before the first ingest.</summary>
    private async Task<(string? Answering, string Written)> LocateAsync((bool AreThere, int? Dimensions) embeddings, CancellationToken cancellationToken)
    {
        if (await schema.FindAliasedAsync(cancellationToken) is not { } answering)
            return (null, $"{client.Collection}-1");
        if (await client.In(answering).GetCollectionInfoAsync(cancellationToken) is not { } collection)
            return (null, answering);
        schema.Require(collection);
        return (answering, !embeddings.AreThere || schema.IsMadeFor(collection, embeddings.Dimensions) ? answering : Next(answering));
    }

    private string Next(string answering) => $"{client.Collection}-{(NumberOf(answering) ?? 0) + 1}";

    /// <summary>Null if it is no collection that this service would make.</summary>
    private int? NumberOf(string collection) =>
        collection.StartsWith($"{client.Collection}-", StringComparison.Ordinal)
        && int.TryParse(collection.AsSpan(client.Collection.Length + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number
            : null;

    /// <summary>Whether there are embeddings, and of how many dimensions. A server that does not embed is no failure: words alone are written.</summary>
    private async Task<(bool AreThere, int? Dimensions)> AskAsync(CancellationToken cancellationToken)
    {
        if (embedder is null)
            return (false, null);
        try
        {
            return (true, embedder.KnownDimensions ?? (await embedder.EmbedOnceAsync(["dimensions"], ProbeLimit, cancellationToken))[0].Length);
        }
        catch (ModelException e) when (e is { IsMissing: true } or { Failure: ModelFailure.Failed, IsTransient: false, IsSettings: false })
        {
            return (false, null);
        }
    }

    /// <summary>The collection, with the payload indexes that it lacked; null if there is none.</summary>
    private async Task<QdrantCollection?> IndexAsync(QdrantClient of, CancellationToken cancellationToken)
    {
        if (await of.GetCollectionInfoAsync(cancellationToken) is not { } collection)
            return null;
        schema.Require(collection);
        foreach (var (field, type) in QdrantFields.Indexed.Where(i => collection.PayloadSchema?.ContainsKey(i.Field) is not true))
            await of.CreatePayloadIndexAsync(field, type, cancellationToken);
        return collection;
    }
}
