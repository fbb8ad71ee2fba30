using System.Text.Json.Serialization;

namespace ChatBackend.Features.Chat.Answering;

/// <summary>Stored with the turn: all that any process needs to answer it.</summary>
internal sealed record Question(string Message, string? SelectedText, string? PageUrl)
{
    /// <summary>The messages before it, from a client that keeps the conversation itself; null for the session's own. They are not stored.</summary>
    [JsonIgnore]
    public IReadOnlyList<HistoryMessage>? History { get; init; }

    /// <summary>The question as a client sent it, trimmed.</summary>
    public static Question Of(string message, string? selectedText, string? pageUrl) => new(message.Trim(), NullIfBlank(selectedText), NullIfBlank(pageUrl));

    private static string? NullIfBlank(string? text) => string.IsNullOrWhiteSpace(text) ? null : text.Trim();
}
