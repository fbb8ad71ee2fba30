using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Features.Chat.Answering;

/// <summary>The only copy of an answer that is being written. Readers may follow it as it grows.</summary>
internal interface IAnswerDraft
{
    string Text { get; }

    /// <summary>What models used for it.</summary>
    TokenTally Tally { get; }

    void SetRetrieved(IReadOnlyList<RetrievedPassage> retrieved);

    /// <param name="citations">All citations so far, not only new ones.</param>
    void Append(string text, IReadOnlyList<Citation> citations);
}
