using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>What is needed of one event of a streamed answer. The SDK's own type would take half of all memory that a piece of an answer takes.</summary>
internal sealed record ChatChunk
{
    private static readonly JsonSerializerOptions Options = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public string? Model { get; init; }

    public IReadOnlyList<Choice?>? Choices { get; init; }

    public Tokens? Usage { get; init; }

    /// <summary>Some servers send <c>"error": null</c> with each event.</summary>
    public JsonElement? Error { get; init; }

    public string Text => Choices is [{ Delta.Content: { } text }, ..] ? text : "";

    public bool IsRefusal => Choices is [{ Delta.Refusal.Length: > 0 }, ..];

    public string? FinishReason => Choices is [{ FinishReason: { Length: > 0 } reason }, ..] ? reason.ToLowerInvariant() : null;

    /// <summary>The failure that an error object within the stream says; null if there is none.</summary>
    public ModelException? Fault => Error is not { } error ? null
        : ModelFaults.FromError(200, Member(error, "code"), Member(error, "type"), message: null, retryAfter: null);

    /// <returns>Null for the event that ends the stream.</returns>
    /// <exception cref="JsonException">The inner exception is one, too, where the event is not JSON.</exception>
    public static ChatChunk? Read(ReadOnlySpan<byte> data) => data.SequenceEqual("[DONE]"u8) ? null : JsonSerializer.Deserialize<ChatChunk>(data, Options);

    private static string? Member(JsonElement error, string name) =>
        error.ValueKind == JsonValueKind.Object && error.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    public sealed record Choice
    {
        public Delta? Delta { get; init; }

        public string? FinishReason { get; init; }
    }

    public sealed record Delta
    {
        [JsonConverter(typeof(TextOrParts))]
        public string? Content { get; init; }

        public string? Refusal { get; init; }
    }

    public sealed record Tokens
    {
        public int PromptTokens { get; init; }

        public int CompletionTokens { get; init; }
    }

    private sealed record Part(string? Text);

    /// <summary>Some servers send a list of parts.</summary>
    private sealed class TextOrParts : JsonConverter<string>
    {
        public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
            reader.TokenType == JsonTokenType.StartArray
                ? string.Concat(JsonSerializer.Deserialize<Part[]>(ref reader, options)!.Select(part => part.Text))
                : reader.GetString();

        public override void Write(Utf8JsonWriter writer, string value, JsonSerializerOptions options) => writer.WriteStringValue(value);
    }
}
