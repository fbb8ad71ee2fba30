using System.Diagnostics;
using System.Text.Json.Serialization;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Chat.Turns;

internal sealed record TurnFailure(int Status, string Code, string Detail, int? RetryAfterSeconds, IReadOnlyList<RetrievedPassage> Retrieved)
{
    public const string ServerStoppingCode = "server_stopping";

    public static TurnFailure From(Exception exception, IReadOnlyList<RetrievedPassage> retrieved)
    {
        var failure = ExceptionMapping.ToFailure(exception);
        return new(failure.Status, failure.Code, failure.Detail, failure.RetryAfterSeconds, retrieved);
    }

    public static TurnFailure Abandoned() =>
        new(StatusCodes.Status500InternalServerError, "turn_abandoned", "The question could not be answered after several attempts.", null, []);

    public static TurnFailure SessionGone() =>
        new(StatusCodes.Status404NotFound, "session_not_found", "The session was deleted before the question was answered.", null, []);

    public static TurnFailure ServerStopping(IReadOnlyList<RetrievedPassage>? retrieved) => new(
        StatusCodes.Status503ServiceUnavailable, ServerStoppingCode, "This server is stopping and another one answers the question: ask for the turn again.",
        1, retrieved ?? []);

    public ProblemDetails ToProblem() => Problem.Details(Status, Code, Detail, RetryAfterSeconds is { } seconds ? TimeSpan.FromSeconds(seconds) : null);
}

/// <summary>Why a turn failed, as problem details: in its stream and in its state.</summary>
/// <example>{"type":"urn:chatbackend:problem:model_timeout","title":"Internal Server Error","status":500,"code":"model_timeout",
/// "detail":"The model did not answer in time.","instance":"/chat/turns/019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21",
/// "trace_id":"0af7651916cd43dd8448eb211c80319c"}</example>
internal sealed record TurnProblem(string Type, string Title, int Status, string Detail, string Instance, string Code, string TraceId)
    : ProblemBody(Type, Title, Status, Detail, Instance, Code, TraceId)
{
    /// <summary>The turn, for <c>GET /chat/turns/{id}</c>.</summary>
    public required Guid TurnId { get; init; }

    /// <summary>The passages that were found for the question, best first.</summary>
    public required IReadOnlyList<RetrievedPassage> Retrieved { get; init; }

    /// <summary>When to ask again, in seconds; absent if asking again may not help.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public int? RetryAfterSeconds { get; init; }

    public static TurnProblem Of(TurnFailure failure, Guid turnId) => new(
        Problem.TypeOf(failure.Code), Problem.TitleOf(failure.Status), failure.Status, failure.Detail, $"/chat/turns/{turnId}", failure.Code,
        $"{Activity.Current?.TraceId}")
    {
        TurnId = turnId,
        Retrieved = failure.Retrieved,
        RetryAfterSeconds = failure.RetryAfterSeconds,
    };
}
