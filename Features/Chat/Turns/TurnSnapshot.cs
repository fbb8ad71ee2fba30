using ChatBackend.Features.Chat.Answering;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>An answer, a failure, or neither when the turn no longer belongs to this process.</summary>
/// <param name="IsStopped">True if the reader stopped the turn: the answer is what was written until then.</param>
internal sealed record TurnEnd(string? ResponseJson, TurnFailure? Failure, bool IsStopped = false)
{
    /// <summary>Another process has the turn now, or it was deleted.</summary>
    public static readonly TurnEnd Lost = new(null, null);

    private TurnStep.Ended? _step;

    /// <summary>The last step of a turn with an answer, the same for all its readers: what doors make of it is as large as the answer.</summary>
    public TurnStep StepOf(int attempt) => _step ??= new(StreamCursor.EndOf(attempt), ResponseJson!, IsStopped);
}

/// <summary>What a process that died had written of a turn that its reader had stopped.</summary>
internal sealed record StoppedDraft(TurnSources? Sources, string Text);

/// <param name="Attempt">If it is higher than before, the answer has begun again.</param>
internal sealed record TurnSnapshot(
    Guid SessionId, int Attempt, IReadOnlyList<RetrievedPassage>? Retrieved, IReadOnlyList<Citation> Citations, string Text, TurnEnd? End, bool HasMore = false)
{
    private readonly List<TurnStep> _steps = [];

    /// <summary>The step, or the same one that another reader of this snapshot was given before, with what was made of it.</summary>
    public TurnStep Share(TurnStep step)
    {
        lock (_steps)
        {
            // Of one snapshot, a cursor and a kind have one content.
            if (_steps.Find(s => s.Cursor == step.Cursor && s.GetType() == step.GetType()) is { } given)
                return given;
            _steps.Add(step);
            return step;
        }
    }
}

internal sealed record TurnSources(IReadOnlyList<RetrievedPassage> Retrieved, IReadOnlyList<Citation> Citations);
