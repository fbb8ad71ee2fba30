using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Features.Chat.Answering;

/// <summary>What an answer is made from.</summary>
internal sealed class AnsweringOptions
{
    /// <summary>How many passages the model is shown.</summary>
    public const int Passages = 6;

    /// <summary>How many messages the model is shown, the question included.</summary>
    public const int HistoryMessages = 10;

    /// <summary>The most tokens of a prompt; the oldest messages of the history are left out first.</summary>
    [ConfigurationKeyName("MODEL_CONTEXT_TOKENS"), Range(1_000, 1_000_000)]
    public int ContextTokens { get; set; } = 12_000;

    /// <summary>The book's language (BCP 47); questions in another are translated for the search.</summary>
    [ConfigurationKeyName("BOOK_LANGUAGE"), Required]
    public string BookLanguage { get; set; } = "en";
}
