namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>A point to write. Vectors are named; there may be none.</summary>
internal sealed record QdrantPoint(Guid Id, IReadOnlyDictionary<string, object> Vector, QdrantPayload Payload);

/// <summary>What a collection was made for.</summary>
/// <param name="EmbeddingModel">Empty without one.</param>
internal sealed record QdrantMetadata(string? EmbeddingModel);

/// <summary>A sparse vector; indices are distinct.</summary>
internal sealed record QdrantSparse(uint[] Indices, float[] Values)
{
    public float? ValueOf(string term) => Array.IndexOf(Indices, Bm25Vector.IndexOf(term)) is >= 0 and var place ? Values[place] : null;
}

/// <summary>One write of a batch; exactly one property is set.</summary>
internal sealed record QdrantOperation
{
    public object? Upsert { get; init; }

    public object? SetPayload { get; init; }

    public object? Delete { get; init; }
}

/// <summary>A query for the points nearest to a vector, or, without one, for any points.</summary>
internal sealed record QdrantQuery
{
    public object? Query { get; init; }
    public string? Using { get; init; }
    public QdrantFilter? Filter { get; init; }
    public required int Limit { get; init; }

    /// <summary>False, true, or the fields to return.</summary>
    public required object WithPayload { get; init; }
    public IReadOnlyList<string>? WithVector { get; init; }
}

/// <summary>Matches points that meet all of <c>must</c>, none of <c>must_not</c> and, if it is set, at least one of <c>should</c>.</summary>
internal sealed record QdrantFilter(IReadOnlyList<object>? Must = null, IReadOnlyList<object>? MustNot = null, IReadOnlyList<object>? Should = null)
{
    public static object Is(string key, object value) => new { Key = key, Match = new { Value = value } };

    public static object IsAny<T>(string key, IEnumerable<T> values) => new { Key = key, Match = new { Any = values } };
}
