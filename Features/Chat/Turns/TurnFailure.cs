using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>Why a turn has no answer; stored with the turn, and shown as a problem.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="RetryAfterSeconds">When a retry makes sense, if that is known.</param>
internal sealed record TurnFailure(int Status, string Code, string Detail, int? RetryAfterSeconds, IReadOnlyList<RetrievedPassage> Retrieved)
{
    /// <summary>The failure that an exception is to a reader.</summary>
    public static TurnFailure From(Exception exception, IReadOnlyList<RetrievedPassage> retrieved)
    {
        var failure = Failure.Of(exception);
        return new(failure.Status, failure.Code, failure.Detail, failure.RetryAfterSeconds, retrieved);
    }

    /// <summary>Too many processes died with the turn.</summary>
    public static TurnFailure Abandoned() =>
        new(StatusCodes.Status500InternalServerError, "turn_abandoned", "The question could not be answered after several attempts.", null, []);

    /// <summary>The session was deleted while its question was being answered.</summary>
    public static TurnFailure SessionGone() =>
        new(StatusCodes.Status404NotFound, "session_not_found", "The session was deleted before the answer was there.", null, []);

    /// <summary>This process stops; another one answers the turn.</summary>
    public static TurnFailure ServerStopping(IReadOnlyList<RetrievedPassage>? retrieved) => new(
        StatusCodes.Status503ServiceUnavailable, "server_stopping", "This server is being replaced. The answer goes on at the next one: ask for the turn again.",
        1, retrieved ?? []);

    /// <summary>The failure as a problem, with the turn's id and the passages that were found in the book.</summary>
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
