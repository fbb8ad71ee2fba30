using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Features.Chat.Answering;

internal sealed class AnsweringOptions
{
    public const int Passages = 6;

    public const int HistoryMessages = 10;

    /// <summary>The most tokens of a prompt; the oldest messages of the history are left out first.</summary>
    [ConfigurationKeyName("MODEL_CONTEXT_TOKENS"), Range(1_000, 1_000_000)]
    public int ContextTokens { get; set; } = 12_000;

    /// <summary>A BCP 47 tag. Questions in another language are translated for the search.</summary>
    [ConfigurationKeyName("BOOK_LANGUAGE"), Required]
    public string BookLanguage { get; set; } = "en";
}
