using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Search.Qdrant;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace ChatBackend.Tests.Infrastructure.Search.Qdrant;

public sealed class SearchQdrant : IAsyncLifetime
{
    public const string Collection = "textbook";

    private readonly List<IDisposable> _parts = [];

    internal StubQdrant Stub { get; private set; } = null!;

    internal QdrantPassageIndex Index { get; private set; } = null!;

    public async ValueTask InitializeAsync()
    {
        Stub = await StubQdrant.StartAsync();
        Index = Another();
    }

    /// <summary>The same index, as another process would open it.</summary>
    internal QdrantPassageIndex Another(IEmbedder? embedder = null, string key = StubQdrant.Key, string? url = null)
    {
        var client = new QdrantClient(
            Options.Create(new QdrantOptions { Url = new(url ?? Stub.Url), ApiKey = key, Collection = Collection }), TimeProvider.System, NullLogger<QdrantClient>.Instance);
        var schema = new QdrantSchema(client, embedder, TimeProvider.System, NullLogger<QdrantSchema>.Instance);
        var collections = new QdrantCollections(client, schema, embedder);
        var documents = new QdrantDocuments(client, collections, embedder, NullLogger<QdrantDocuments>.Instance);
        _parts.AddRange([client, collections, documents]);
        return new(client, schema, documents, new(collections, documents, embedder, "en", NullLogger<QdrantThreshold>.Instance), embedder, NullLogger<QdrantPassageIndex>.Instance);
    }

    public async ValueTask DisposeAsync()
    {
        await Stub.DisposeAsync();
        foreach (var part in _parts)
            part.Dispose();
    }
}
