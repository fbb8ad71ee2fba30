using ChatBackend.Infrastructure.Http.Problems;

namespace ChatBackend.Infrastructure.Search;

/// <summary>A failure of the index. The message is our own text, never the server's.</summary>
/// <param name="isAway">True if the index is unavailable for now: the answer is 503 with Retry-After instead of 500.</param>
internal sealed class SearchException(bool isAway, string message) : FailureException(message)
{
    public override bool IsAway { get; } = isAway;

    /// <summary>The index's HTTP status; null without a response.</summary>
    public int? Status { get; init; }

    public override string Code => IsAway ? "search_unavailable" : "search_failed";
}
