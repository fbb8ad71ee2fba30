using System.Text.Json;

namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>What is needed of one event of a streamed answer. It is read token by token, because the serializer took a quarter of the time of a request to the model.</summary>
internal sealed class ChatChunk
{
    public string? Model { get; private set; }

    public string Text { get; private set; } = "";

    public bool IsRefusal { get; private set; }

    public string? FinishReason { get; private set; }

    public ModelUsage? Usage { get; private set; }

    /// <summary>The failure that an error object within the stream says; null if there is none.</summary>
    public ModelException? Fault { get; private set; }

    /// <returns>Null for the event that ends the stream.</returns>
    /// <exception cref="JsonException">The event is not JSON: it was truncated.</exception>
    /// <exception cref="InvalidOperationException">A member's value has an unexpected type.</exception>
    /// <exception cref="FormatException">A number of tokens is not a 32-bit integer.</exception>
    public static ChatChunk? Read(ReadOnlySpan<byte> data)
    {
        if (data.SequenceEqual("[DONE]"u8))
            return null;

        var chunk = new ChatChunk();
        var json = new Utf8JsonReader(data);
        json.Read();
        chunk.Read(ref json);
        // Throws if anything follows the object.
        json.Read();
        return chunk;
    }

    private void Read(ref Utf8JsonReader json)
    {
        if (!Begins(ref json, JsonTokenType.StartObject))
            return;
        while (HasMember(ref json))
        {
            if (IsMember(ref json, "choices"u8))
                ReadChoices(ref json);
            else if (IsMember(ref json, "model"u8))
                Model = json.GetString();
            else if (IsMember(ref json, "usage"u8))
                ReadUsage(ref json);
            // Some servers send "error": null with each event.
            else if (IsMember(ref json, "error"u8))
                Fault = json.TokenType == JsonTokenType.Null ? null : FaultOf(JsonElement.ParseValue(ref json));
            else
                json.Skip();
        }
    }

    /// <summary>Only one answer was asked for.</summary>
    private void ReadChoices(ref Utf8JsonReader json)
    {
        if (!Begins(ref json, JsonTokenType.StartArray))
            return;
        for (var isFirst = true; json.Read() && json.TokenType != JsonTokenType.EndArray; isFirst = false)
        {
            if (!isFirst)
                json.Skip();
            else
                ReadChoice(ref json);
        }
    }

    private void ReadChoice(ref Utf8JsonReader json)
    {
        if (!Begins(ref json, JsonTokenType.StartObject))
            return;
        while (HasMember(ref json))
        {
            if (IsMember(ref json, "delta"u8))
                ReadDelta(ref json);
            else if (IsMember(ref json, "finish_reason"u8))
                FinishReason = json.GetString() is { Length: > 0 } reason ? reason.ToLowerInvariant() : null;
            else
                json.Skip();
        }
    }

    private void ReadDelta(ref Utf8JsonReader json)
    {
        if (!Begins(ref json, JsonTokenType.StartObject))
            return;
        while (HasMember(ref json))
        {
            if (IsMember(ref json, "content"u8))
                Text = json.TokenType == JsonTokenType.StartArray ? PartsOf(ref json) : json.GetString() ?? "";
            else if (IsMember(ref json, "refusal"u8))
                IsRefusal = json.GetString() is { Length: > 0 };
            else
                json.Skip();
        }
    }

    private void ReadUsage(ref Utf8JsonReader json)
    {
        if (!Begins(ref json, JsonTokenType.StartObject))
            return;
        var (input, output) = (0, 0);
        while (HasMember(ref json))
        {
            if (IsMember(ref json, "prompt_tokens"u8))
                input = json.GetInt32();
            else if (IsMember(ref json, "completion_tokens"u8))
                output = json.GetInt32();
            else
                json.Skip();
        }

        Usage = new(input, output);
    }

    /// <summary>Some servers send a list of parts.</summary>
    private static string PartsOf(ref Utf8JsonReader json) => string.Concat(
        JsonElement.ParseValue(ref json).EnumerateArray().Select(part => part.TryGetProperty("text", out var text) ? text.GetString() : null));

    private static ModelException FaultOf(JsonElement error)
    {
        return ModelFaults.FromError(200, Member("code"), Member("type"), message: null, retryAfter: null);

        string? Member(string name) =>
            error.ValueKind == JsonValueKind.Object && error.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
    }

    /// <summary>True at the start of an object or array; false for null.</summary>
    private static bool Begins(ref Utf8JsonReader json, JsonTokenType start) =>
        json.TokenType == start || (json.TokenType == JsonTokenType.Null ? false : throw new InvalidOperationException($"{json.TokenType} is not {start}."));

    /// <summary>Moves to the name of an object's next member, if there is one.</summary>
    private static bool HasMember(ref Utf8JsonReader json) => json.Read() && json.TokenType == JsonTokenType.PropertyName;

    /// <summary>Moves to the value of the member if it has the name.</summary>
    private static bool IsMember(ref Utf8JsonReader json, ReadOnlySpan<byte> name) => json.ValueTextEquals(name) && json.Read();
}
