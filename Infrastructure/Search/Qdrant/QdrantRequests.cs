namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>A point to write. Vectors are named; there may be none.</summary>
internal sealed record QdrantPoint(Guid Id, IReadOnlyDictionary<string, object> Vector, object Payload);

/// <summary>What a collection was made for.</summary>
/// <param name="EmbeddingModel">Empty without one.</param>
internal sealed record QdrantMetadata(string? EmbeddingModel);

/// <summary>A sparse vector; indices are distinct.</summary>
internal sealed record QdrantSparse(IReadOnlyList<uint> Indices, IReadOnlyList<float> Values);

/// <summary>One write of a batch; exactly one property is set.</summary>
internal sealed record QdrantOperation
{
    public object? Upsert { get; init; }

    public object? SetPayload { get; init; }

    public object? Delete { get; init; }
}

/// <summary>A query for the points nearest to a vector.</summary>
internal sealed record QdrantQuery
{
    public required object Query { get; init; }
    public string? Using { get; init; }
    public QdrantFilter? Filter { get; init; }
    public required int Limit { get; init; }
    public bool? WithPayload { get; init; }
    public IReadOnlyList<string>? WithVector { get; init; }
}
