namespace ChatBackend.Features.Chat;

/// <summary>The limits and times of a conversation.</summary>
internal sealed class ChatOptions
{
    /// <summary>The longest question, in characters (Unicode scalar values) after trimming.</summary>
    public const int MaxMessageLength = 4_000;

    /// <summary>The longest marked text, in characters.</summary>
    public const int MaxSelectedTextLength = 8_000;

    /// <summary>The longest address of the reader's page, in characters.</summary>
    public const int MaxPageUrlLength = 2_000;

    /// <summary>How many messages the model is shown, the question included.</summary>
    public const int HistoryMessages = 10;

    /// <summary>How many passages the model is shown.</summary>
    public const int Passages = 6;

    /// <summary>How often a turn is taken over from a process that died, before it is given up.</summary>
    public const int MaxTakeovers = 3;

    /// <summary>Tokens that a prompt may hold; the history is cut to it, oldest first.</summary>
    [ConfigurationKeyName("MODEL_CONTEXT_TOKENS")]
    public int ContextTokens { get; set; } = 12_000;

    /// <summary>The language the book is written in (BCP 47), into which questions in others are put for search.</summary>
    [ConfigurationKeyName("BOOK_LANGUAGE")]
    public string BookLanguage { get; set; } = "en";

    /// <summary>How long a turn belongs to the process that works on it after that process was last heard of.</summary>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How often a process renews its leases, saves what is written so far, and looks for turns left behind.</summary>
    public TimeSpan Beat { get; set; } = TimeSpan.FromSeconds(1);
}
