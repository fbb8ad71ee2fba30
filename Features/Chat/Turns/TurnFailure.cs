using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Chat.Turns;

internal sealed record TurnFailure(int Status, string Code, string Detail, int? RetryAfterSeconds, IReadOnlyList<Citation> Retrieved)
{
    public static TurnFailure From(Exception exception, IReadOnlyList<Citation> retrieved)
    {
        var failure = ExceptionMapping.ToFailure(exception);
        return new(failure.Status, failure.Code, failure.Detail, failure.RetryAfterSeconds, retrieved);
    }

    public static TurnFailure Abandoned() =>
        new(StatusCodes.Status500InternalServerError, "turn_abandoned", "The question could not be answered after several attempts.", null, []);

    public static TurnFailure SessionGone() =>
        new(StatusCodes.Status404NotFound, "session_not_found", "The session was deleted before the question was answered.", null, []);

    public static TurnFailure ServerStopping(IReadOnlyList<Citation>? retrieved) => new(
        StatusCodes.Status503ServiceUnavailable, "server_stopping", "This server is stopping and another one answers the question: ask for the turn again.",
        1, retrieved ?? []);

    public ProblemDetails ToProblem(Guid turnId)
    {
        var problem = Problem.Details(Status, Code, Detail);
        problem.Extensions["turn_id"] = turnId;
        problem.Extensions["retrieved"] = Retrieved;
        if (RetryAfterSeconds is { } seconds)
            problem.Extensions["retry_after_seconds"] = seconds;
        return problem;
    }
}
