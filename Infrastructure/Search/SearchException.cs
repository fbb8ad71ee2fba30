using ChatBackend.Infrastructure.Http.Problems;

namespace ChatBackend.Infrastructure.Search;

/// <summary>A failure of the index. The message is our own text, never the server's.</summary>
/// <param name="isUnavailable">True if the index is unavailable for now: the answer is 503 with Retry-After instead of 500.</param>
internal sealed class SearchException(bool isUnavailable, string message) : FailureException(message)
{
    public override bool IsUnavailable { get; } = isUnavailable;

    public override bool IsMisconfigured => Setting is not null;

    /// <summary>The setting that is wrong, which the message names; null if none is.</summary>
    public string? Setting { get; init; }

    /// <summary>The status of Qdrant's answer; null if there was none.</summary>
    public int? Status { get; init; }

    public override string Code => IsUnavailable ? "search_unavailable" : IsMisconfigured ? "search_misconfigured" : "search_failed";

    /// <param name="message">Names the setting.</param>
    public static SearchException Misconfigured(string setting, string message, int? status = null) =>
        new(isUnavailable: false, message) { Setting = setting, Status = status };
}
