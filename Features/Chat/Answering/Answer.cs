using ChatBackend.Infrastructure.Ai;


namespace ChatBackend.Features.Chat.Answering;

/// <summary>A written answer.</summary>
/// <param name="Text">In Markdown, with the markers of its citations.</param>
/// <param name="Citations">The passages that it cites, in the order of first use.</param>
/// <param name="Finish">Why the model stopped; null when it failed after it had begun.</param>
/// <param name="Model">The model that answered, or the name of what answered without one.</param>
/// <param name="Usage">Tokens, the rewriting of the question included; null where the model reports none.</param>
internal sealed record Answer(
    string Text, IReadOnlyList<Citation> Citations, Grounding Grounding, ModelFinish? Finish, string Model, ModelUsage? Usage)
{
    /// <summary>True when the answer stops before its end.</summary>
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
