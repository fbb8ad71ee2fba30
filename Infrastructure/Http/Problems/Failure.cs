using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Infrastructure.Http.Problems;

/// <summary>What a caller is told about an exception. A request answers with it as a problem; a turn stores it.</summary>
/// <param name="Detail">For a person; never the text of an upstream or of another library.</param>
/// <param name="RetryAfter">When to retry; only with 503.</param>
internal sealed record Failure(int Status, string Code, string Detail, TimeSpan? RetryAfter = null)
{
    public static readonly TimeSpan DefaultRetryAfter = TimeSpan.FromSeconds(2);

    public int? RetryAfterSeconds => RetryAfter is { } wait ? Problem.RetryAfterSeconds(wait) : null;

    public ProblemDetails ToProblem() => Problem.Details(Status, Code, Detail, RetryAfter);

    public static Failure Unavailable(string code, string detail, TimeSpan? retryAfter = null) =>
        new(StatusCodes.Status503ServiceUnavailable, code, detail, retryAfter ?? DefaultRetryAfter);
}

/// <summary>An exception that knows its failure. Its message is our own text, and becomes the problem's detail.</summary>
internal abstract class FailureException(string message, Exception? inner = null) : Exception(message, inner)
{
    public abstract string Code { get; }

    /// <summary>True when what failed is known to be unavailable for now: 503 with Retry-After, not 500.</summary>
    public abstract bool IsUnavailable { get; }

    /// <summary>True when a setting is wrong, so that only the operator can help: 503 without Retry-After. The message names the setting.</summary>
    public virtual bool IsMisconfigured => false;

    /// <summary>What the server said, for <c>check</c> alone, whose requests hold nobody's text. Neither logged nor returned.</summary>
    public string? ServerText { get; set; }

    public TimeSpan? RetryAfter { get; init; }
}
