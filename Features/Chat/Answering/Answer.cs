using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Features.Chat.Answering;

/// <param name="Finish">Why the model stopped; null when it failed after it had begun.</param>
/// <param name="Usage">Includes the tokens for rewriting the question; null where the model does not report them.</param>
internal sealed record Answer(
    string Text, IReadOnlyList<Citation> Citations, Grounding Grounding, ModelFinish? Finish, string Model, ModelUsage? Usage)
{
    public bool IsIncomplete => Finish is not ModelFinish.Stop;
}

/// <summary>How well the book supports an answer.</summary>
internal enum Grounding
{
    /// <summary>The answer cites passages that fit the question.</summary>
    Grounded,

    /// <summary>The answer cites passages that cover only part of the question, or was cut before it cited one.</summary>
    Partial,

    /// <summary>The answer cites nothing: the book does not cover the question, or it was small talk.</summary>
    None,
}
