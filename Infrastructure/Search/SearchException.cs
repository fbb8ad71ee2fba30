using ChatBackend.Infrastructure.Http.Problems;

namespace ChatBackend.Infrastructure.Search;

/// <summary>A failure of the index. The message is our own text, never the server's.</summary>
/// <param name="isUnavailable">True if the index is unavailable for now: the answer is 503 with Retry-After instead of 500.</param>
internal sealed class SearchException(bool isUnavailable, string message) : FailureException(message)
{
    public override bool IsUnavailable { get; } = isUnavailable;

    public int? Status { get; init; }

    public override string Code => IsUnavailable ? "search_unavailable" : "search_failed";
}
