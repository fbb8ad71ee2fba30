using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Infrastructure.Ai;

internal sealed class AiOptions
{
    /// <summary>About 1,500 words of English.</summary>
    public const int DefaultMaxOutputTokens = 2_000;

    /// <summary>The name of no embedding model.</summary>
    public const string Off = "off";

    public const int MaxEmbeddingDimensions = 16_384;

    /// <summary><c>openai</c> or <c>offline</c>; null lets the environment decide.</summary>
    [ConfigurationKeyName("AI_PROVIDER")]
    public string? Provider { get; set; }

    /// <summary>Local servers with the same API often need no key.</summary>
    [ConfigurationKeyName("OPENAI_API_KEY")]
    public string? ApiKey { get; set; }

    /// <summary>A server compatible with OpenAI's API: Ollama, vLLM, OpenRouter, Gemini's compatible endpoint.</summary>
    [ConfigurationKeyName("OPENAI_BASE_URL")]
    public Uri? BaseUrl { get; set; }

    [ConfigurationKeyName("OPENAI_CHAT_MODEL"), Required]
    public string ChatModel { get; set; } = "gpt-4o-mini";

    [ConfigurationKeyName("OPENAI_FALLBACK_MODEL")]
    public string? FallbackModel { get; set; }

    /// <summary><see cref="Off"/> for none.</summary>
    [ConfigurationKeyName("OPENAI_EMBEDDING_MODEL"), Required]
    public string EmbeddingModel { get; set; } = "text-embedding-3-small";

    /// <summary>Null for as many as the model answers with.</summary>
    [ConfigurationKeyName("OPENAI_EMBEDDING_DIMENSIONS"), Range(1, MaxEmbeddingDimensions)]
    public int? EmbeddingDimensions { get; set; }

    [ConfigurationKeyName("MODEL_MAX_OUTPUT_TOKENS"), Range(1, 100_000)]
    public int MaxOutputTokens { get; set; } = DefaultMaxOutputTokens;

    /// <summary>The most tokens of a prompt; the oldest messages of the history are left out first.</summary>
    [ConfigurationKeyName("MODEL_CONTEXT_TOKENS"), Range(1_000, 1_000_000)]
    public int ContextTokens { get; set; } = 12_000;

    /// <summary>Seconds that one answer may take, all attempts together.</summary>
    [ConfigurationKeyName("MODEL_TIMEOUT_SECONDS"), Range(1, 600)]
    public int TimeoutSeconds { get; set; } = 60;
}
