namespace ChatBackend.Features.Chat.Answering;

/// <summary>An answer that is being written: the only copy of its text, which readers may follow as it grows.</summary>
internal interface IAnswerDraft
{
    /// <summary>The answer so far.</summary>
    string Text { get; }

    /// <summary>Shows what the search found.</summary>
    void SetRetrieved(IReadOnlyList<RetrievedPassage> retrieved);

    /// <summary>Adds to the answer.</summary>
    /// <param name="citations">All that the answer cites so far.</param>
    void Append(string text, IReadOnlyList<Citation> citations);
}
