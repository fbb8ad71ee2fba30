using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Infrastructure.Http.Problems;

/// <summary>Problem details (RFC 9457) that always have a stable <c>code</c>, and a <c>trace_id</c> that <see cref="ErrorHandling"/> adds.</summary>
internal static class Problem
{
    /// <param name="code">Stable, lower_snake_case; never renamed once released.</param>
    /// <param name="detail">What happened and what to do, for a person. Never an exception's message.</param>
    public static ProblemHttpResult Of(int status, string code, string detail, TimeSpan? retryAfter = null) =>
        TypedResults.Problem(Details(status, code, detail, retryAfter));

    /// <summary>The id is unknown or belongs to another user: callers cannot tell which.</summary>
    public static ProblemHttpResult NotFound(string code, string detail) =>
        Of(StatusCodes.Status404NotFound, code, detail);

    /// <summary>A field of the request is wrong; <paramref name="errors"/> maps snake_case fields to messages.</summary>
    public static ProblemHttpResult Invalid(IDictionary<string, string[]> errors) =>
        TypedResults.Problem(InvalidDetails(errors));

    public static ProblemHttpResult Invalid(string field, string message) =>
        Invalid(new Dictionary<string, string[]> { [field] = [message] });

    public static ProblemDetails Details(int status, string code, string detail, TimeSpan? retryAfter = null) => new RetryableProblem
    {
        RetryAfter = retryAfter,
        Type = TypeOf(code),
        Title = TitleOf(status),
        Status = status,
        Detail = detail,
        Extensions = { ["code"] = code },
    };

    public static ProblemDetails InvalidDetails(IDictionary<string, string[]> errors)
    {
        var details = Details(
            StatusCodes.Status400BadRequest, "invalid_request",
            errors.Count == 1 && errors.First() is { Value: [var message] } only
                ? Named(only.Key, message)
                : "Some fields are not valid; errors names each.");
        details.Extensions["errors"] = errors;
        return details;
    }

    private static string Named(string field, string message) =>
        message.StartsWith($"{field} ", StringComparison.Ordinal) ? message : $"{field} {message}";

    /// <summary>Retry-After in whole seconds, at least one.</summary>
    public static int RetryAfterSeconds(TimeSpan wait) => Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds));

    /// <summary>A problem's type: a URN, as there is no page about it.</summary>
    public static string TypeOf(string code) => $"urn:chatbackend:problem:{code}";

    public static string CodeOf(int status) => status switch
    {
        StatusCodes.Status400BadRequest => "invalid_request",
        StatusCodes.Status401Unauthorized => "token_required",
        StatusCodes.Status403Forbidden => "forbidden",
        StatusCodes.Status404NotFound => "not_found",
        StatusCodes.Status405MethodNotAllowed => "method_not_allowed",
        StatusCodes.Status406NotAcceptable => "not_acceptable",
        StatusCodes.Status408RequestTimeout => "request_timeout",
        StatusCodes.Status409Conflict => "conflict",
        StatusCodes.Status412PreconditionFailed => "precondition_failed",
        StatusCodes.Status413PayloadTooLarge => "body_too_large",
        StatusCodes.Status415UnsupportedMediaType => "unsupported_media_type",
        StatusCodes.Status422UnprocessableEntity => "unprocessable",
        StatusCodes.Status429TooManyRequests => "rate_limited",
        StatusCodes.Status503ServiceUnavailable => "unavailable",
        _ => "internal_error",
    };

    public static string TitleOf(int status) => status switch
    {
        StatusCodes.Status413PayloadTooLarge => "Content Too Large",
        StatusCodes.Status422UnprocessableEntity => "Unprocessable Content",
        _ => Microsoft.AspNetCore.WebUtilities.ReasonPhrases.GetReasonPhrase(status),
    };
}

/// <summary>A problem that may have a Retry-After, which <see cref="ErrorHandling"/> writes as a header.</summary>
internal sealed class RetryableProblem : ProblemDetails
{
    [JsonIgnore]
    public TimeSpan? RetryAfter { get; init; }
}
