using System.Text.Json;
using System.Text.Json.Serialization;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Http;
using FluentValidation;

namespace ChatBackend.Features.Chat.OpenAi;

/// <summary>What clients of OpenAI's API send. Other members are ignored: the book answers, not a model of the client's choice.</summary>
/// <param name="Messages">The last user message is the question; the user and assistant messages before it are its history. Other roles are ignored.</param>
/// <param name="Model">Any name: there is one model, the book.</param>
/// <param name="Stream">True for a stream.</param>
/// <param name="StreamOptions">What a stream has besides the answer.</param>
/// <param name="N">How many answers: only 1.</param>
/// <example>{"model":"book"}</example>
internal sealed record CompletionRequest(
    IReadOnlyList<CompletionMessage?>? Messages, string? Model = null, bool? Stream = null, CompletionStreamOptions? StreamOptions = null, int? N = null)
{
    internal const int MaxBytes = 2 * 1024 * 1024;

    /// <summary>In UTF-16 code units, of all messages together: more would not fit into a prompt.</summary>
    private const int MaxHistoryLength = 32_000;

    private IEnumerable<CompletionMessage> Spoken => (Messages ?? []).OfType<CompletionMessage>().Where(m => m.Role is "user" or "assistant");

    internal string? Asked => Spoken.LastOrDefault(m => m.Role == "user")?.Content;

    internal Question ToQuestion() => Question.Of(Asked!, selectedText: null, pageUrl: null) with { History = History() };

    /// <summary>The newest messages before the question, as many as a prompt takes.</summary>
    private List<HistoryMessage> History()
    {
        var length = 0;
        return [.. Spoken.Reverse().SkipWhile(m => m.Role != "user").Skip(1).Where(m => !string.IsNullOrWhiteSpace(m.Content))
            .Take(Conversation.MaxMessages - 1).TakeWhile(m => (length += m.Content!.Length) <= MaxHistoryLength).Reverse()
            .Select(m => new HistoryMessage(m.Role == "user" ? ModelRole.User : ModelRole.Assistant, m.Content!))];
    }
}

/// <summary>A message of the conversation that the client keeps.</summary>
/// <param name="Role">user or assistant; others are ignored.</param>
/// <param name="Content">Its text, or an array of parts, of which the texts are read.</param>
/// <example>{"role":"user","content":"How do two ROS 2 nodes talk to each other?"}</example>
internal sealed record CompletionMessage(string? Role, [property: JsonConverter(typeof(CompletionText))] string? Content);

/// <summary>What a stream has besides the answer.</summary>
/// <param name="IncludeUsage">True for a last chunk with the tokens used.</param>
/// <example>{"include_usage":true}</example>
internal sealed record CompletionStreamOptions(bool? IncludeUsage = null);

internal sealed class CompletionRequestValidator : AbstractValidator<CompletionRequest>
{
    public CompletionRequestValidator()
    {
        RuleFor(r => r.Asked).Question().OverridePropertyName("messages");
        RuleForEach(r => r.Messages).Must(m => ValidationFilter.IsStorable(m?.Content)).OverridePropertyName("messages").WithMessage("must not hold U+0000 or half a surrogate pair.");
        RuleFor(r => r.N).Must(n => n is null or 1).WithMessage("must be 1: the book gives one answer.");
    }
}

/// <summary>Reads a string, or the texts of an array of content parts.</summary>
internal sealed class CompletionText : JsonConverter<string?>
{
    public override string? Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options)
    {
        if (reader.TokenType == JsonTokenType.String)
            return reader.GetString();
        var parts = JsonSerializer.Deserialize<Part?[]>(ref reader, options) ?? [];
        return string.Join('\n', parts.Where(p => p is { Type: "text", Text: not null }).Select(p => p!.Text));
    }

    public override void Write(Utf8JsonWriter writer, string? value, JsonSerializerOptions options) => writer.WriteStringValue(value);

    private sealed record Part(string? Type, string? Text);
}
