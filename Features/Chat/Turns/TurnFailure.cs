using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Http.Problems;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>Why a turn has no answer; kept with the turn, and shown as a problem.</summary>
/// <param name="Status">The HTTP status.</param>
/// <param name="RetryAfterSeconds">When asking again makes sense, where that is known.</param>
internal sealed record TurnFailure(int Status, string Code, string Detail, int? RetryAfterSeconds, IReadOnlyList<RetrievedPassage> Retrieved)
{
    /// <summary>What an exception is to a reader.</summary>
    public static TurnFailure From(Exception exception, IReadOnlyList<RetrievedPassage> retrieved)
    {
        var failure = Failure.Of(exception);
        return new(failure.Status, failure.Code, failure.Detail, failure.RetryAfterSeconds, retrieved);
    }
}
