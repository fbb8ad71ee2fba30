namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>Matches points that meet all of <c>must</c>, none of <c>must_not</c> and, if it is set, at least one of <c>should</c>.</summary>
internal sealed record QdrantFilter(IReadOnlyList<object>? Must = null, IReadOnlyList<object>? MustNot = null, IReadOnlyList<object>? Should = null)
{
    public static object Is(string key, object value) => new { Key = key, Match = new { Value = value } };

    public static object IsAny<T>(string key, IEnumerable<T> values) => new { Key = key, Match = new { Any = values } };
}
