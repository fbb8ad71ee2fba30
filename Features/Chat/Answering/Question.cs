using System.Text.Json.Serialization;

namespace ChatBackend.Features.Chat.Answering;

/// <summary>Stored with the turn: all that any process needs to answer it.</summary>
/// <param name="History">The messages before it, for clients that keep the conversation themselves; null for the session's own.</param>
internal sealed record Question(
    string Message, string? SelectedText, string? PageUrl,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<HistoryMessage>? History = null);
