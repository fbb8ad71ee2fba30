using ChatBackend.Infrastructure.Http.Problems;

namespace ChatBackend.Infrastructure.Search;

/// <summary>An index that did not do what it was asked. Its message is ours, never the upstream's text.</summary>
/// <param name="isAway">True when the index is known to be away for now: 503 with Retry-After, not 500.</param>
internal sealed class SearchException(bool isAway, string message) : FailureException(message)
{
    public override bool IsAway { get; } = isAway;

    /// <summary>The HTTP status that the index answered with, where it answered.</summary>
    public int? Status { get; init; }

    public override string Code => IsAway ? "search_unavailable" : "search_failed";
}
