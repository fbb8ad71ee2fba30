using System.Text.Json;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>A point that Qdrant returns. The score is set by queries only, the vector only if requested.</summary>
internal sealed record QdrantRecord<T>(Guid Id, double Score, T? Payload, IReadOnlyDictionary<string, QdrantSparse>? Vector);

/// <summary>A point with dense vectors.</summary>
internal sealed record QdrantDenseRecord<T>(Guid Id, T? Payload, IReadOnlyDictionary<string, ReadOnlyMemory<float>?>? Vector);

internal sealed record QdrantDensePage<T>(IReadOnlyList<QdrantDenseRecord<T>> Points, Guid? NextPageOffset);

/// <param name="PayloadSchema">The payload fields that have an index.</param>
internal sealed record QdrantCollection(QdrantCollectionConfig Config, IReadOnlyDictionary<string, JsonElement>? PayloadSchema);

internal sealed record QdrantCollectionConfig(QdrantCollectionParameters Params, QdrantStrictMode? StrictModeConfig, QdrantMetadata? Metadata);

internal sealed record QdrantCollectionNames(IReadOnlyList<QdrantCollectionName> Collections);

internal sealed record QdrantCollectionName(string Name);

internal sealed record QdrantAliases(IReadOnlyList<QdrantAlias> Aliases);

internal sealed record QdrantAlias(string AliasName, string CollectionName);

internal sealed record QdrantCollectionParameters(JsonElement? Vectors, JsonElement? SparseVectors);

internal sealed record QdrantEnvelope<T>(T? Result);

internal sealed record QdrantUpdate(string? Status);

internal sealed record QdrantCount(long Count);

internal sealed record QdrantPage<T>(IReadOnlyList<QdrantRecord<T>> Points, Guid? NextPageOffset);

internal sealed record QdrantAnswer(IReadOnlyList<QdrantRecord<QdrantPayload>> Points);
