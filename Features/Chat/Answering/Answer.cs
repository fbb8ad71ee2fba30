using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Features.Chat.Answering;

/// <param name="Finish">Why the model stopped; null when it failed after it had begun, or when the reader stopped the turn.</param>
/// <param name="Usage">Includes the tokens for rewriting the question; null where the model does not report them.</param>
internal sealed record Answer(
    string Text, IReadOnlyList<Citation> Citations, Grounding Grounding, ModelFinish? Finish, string Model, ModelUsage? Usage,
    bool IsStopped = false)
{
    public bool IsIncomplete => Finish is not ModelFinish.Stop;
}

/// <summary>How well the book supports an answer.</summary>
internal enum Grounding
{
    /// <summary>The answer cites passages, and each one fits what it is cited for. Without a model: one quoted sentence, or two beside each other,
    /// have nearly all that the question asks about.</summary>
    Grounded,

    /// <summary>The answer also cited passages that do not exist or do not fit (these citations are gone), or was cut before it cited one, or
    /// was stopped by its reader. Without a model: the quotations have only part of what the question asks about.</summary>
    Partial,

    /// <summary>The answer cites nothing: the book does not cover the question, or it was small talk.</summary>
    None,
}
