namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>The limits of a collection (<c>strict_mode_config</c>) that requests stay within; null where there is none.</summary>
internal sealed record QdrantStrictMode(bool? Enabled, bool? SearchAllowExact, long? MaxQueryLimit, long? MaxTimeout, long? SearchMaxBatchsize, long? UpsertMaxBatchsize)
{
    public static readonly QdrantStrictMode Off = new(Enabled: false, null, null, null, null, null);

    /// <summary>What Qdrant's refusals say of each limit.</summary>
    private static readonly (string Words, string Limit)[] Refusals =
    [
        ("for \"limit\"", "max_query_limit"), ("for \"timeout\"", "max_timeout"), ("for \"search batch size\"", "search_max_batchsize"),
        ("for \"upsert limit\"", "upsert_max_batchsize"), ("Exact search disabled", "search_allow_exact"), ("Filter condition limit", "filter_max_conditions"),
        ("Condition size limit", "condition_max_size"), ("vector storage size limit", "max_collection_vector_size_bytes"),
        ("payload storage size limit", "max_collection_payload_size_bytes"), ("points count limit", "max_points_count"),
    ];

    public int Limit(int wanted) => Least(wanted, MaxQueryLimit);

    public int Timeout(int wanted) => Least(wanted, MaxTimeout);

    public int Searches(int wanted) => Least(wanted, SearchMaxBatchsize);

    public int Upserts(int wanted) => Least(wanted, UpsertMaxBatchsize);

    /// <summary>The limit that a refusal is about; null if it is about none.</summary>
    public static string? InTheWay(string refusal) => Array.Find(Refusals, r => refusal.Contains(r.Words, StringComparison.OrdinalIgnoreCase)).Limit;

    private static int Least(int wanted, long? limit) => (int)Math.Clamp(limit ?? wanted, 1, wanted);
}
