using ChatBackend.Features.Chat.Answering;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>How a turn ended: with an answer, a failure, or neither when it is no longer this process's.</summary>
internal sealed record TurnEnd(string? ResponseJson, TurnFailure? Failure)
{
    /// <summary>Another process has the turn now, or it was deleted.</summary>
    public static readonly TurnEnd Lost = new(null, null);
}

/// <summary>A turn at one moment.</summary>
/// <param name="Attempt">When it is higher than before, the answer has begun again.</param>
/// <param name="Retrieved">Null before the search.</param>
/// <param name="Text">The answer from the requested offset on.</param>
/// <param name="HasMore">True when the text was too long for one event.</param>
internal sealed record TurnSnapshot(
    Guid SessionId, int Attempt, IReadOnlyList<RetrievedPassage>? Retrieved, IReadOnlyList<Citation> Citations, string Text, TurnEnd? End, bool HasMore = false);

/// <summary>The passages found for a running turn, and those that its answer cites so far.</summary>
internal sealed record TurnSources(IReadOnlyList<RetrievedPassage> Retrieved, IReadOnlyList<Citation> Citations);
