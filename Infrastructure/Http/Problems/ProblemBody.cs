using System.Diagnostics;
using System.Text.Json.Serialization;

namespace ChatBackend.Infrastructure.Http.Problems;

/// <summary>Problem details (RFC 9457). Every error of this service is one.</summary>
/// <param name="Type">A URN made of the code.</param>
/// <param name="Title">The status in words.</param>
/// <param name="Status">The HTTP status.</param>
/// <param name="Detail">What happened and what to do, for a person.</param>
/// <param name="Instance">The path that was asked for.</param>
/// <param name="Code">What happened, for a program; never renamed.</param>
/// <param name="TraceId">Finds the request in the logs (W3C Trace Context).</param>
/// <example>
/// {
///   "type": "urn:chatbackend:problem:invalid_request", "title": "Bad Request", "status": 400, "detail": "title must be 200 characters or fewer.",
///   "instance": "/audits", "code": "invalid_request", "trace_id": "0af7651916cd43dd8448eb211c80319c",
///   "errors": { "title": ["title must be 200 characters or fewer."] }
/// }
/// </example>
internal record ProblemBody(string Type, string Title, int Status, string Detail, string Instance, string Code, string TraceId)
{
    /// <summary>Of invalid input: the messages of each field.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public Dictionary<string, string[]> Errors { get; init; } = null!;

    public static ProblemBody Of(Failure failure, string instance) => new(
        Problem.TypeOf(failure.Code), Problem.TitleOf(failure.Status), failure.Status, failure.Detail, instance, failure.Code, $"{Activity.Current?.TraceId}");
}
