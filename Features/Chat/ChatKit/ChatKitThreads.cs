using System.Text.Json.Serialization;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Sessions;
using ChatBackend.Infrastructure.Http;

namespace ChatBackend.Features.Chat.ChatKit;

/// <summary>Our ids with ChatKit's prefixes. An item is named after its turn, so that its id is known before the answer is written.</summary>
internal static class ChatKitIds
{
    public const string Question = "_q";
    public const string Answer = "_a";

    private const string ThreadPrefix = "thr_";
    private const string MessagePrefix = "msg_";

    public static string OfThread(Guid sessionId) => $"{ThreadPrefix}{sessionId}";

    public static string OfItem(Guid turnId, string side) => $"{MessagePrefix}{turnId}{side}";

    public static Guid? ThreadOf(string? id) => Between(id, ThreadPrefix, "");

    /// <summary>The turn of an item on this side: its question or its answer.</summary>
    public static Guid? TurnOf(string? id, string side) => Between(id, MessagePrefix, side);

    private static Guid? Between(string? id, string prefix, string end) =>
        id is not null && id.Length > prefix.Length + end.Length && id.StartsWith(prefix, StringComparison.Ordinal) && id.EndsWith(end, StringComparison.Ordinal)
            && KeyId.TryParse(id[prefix.Length..^end.Length], out var key) ? key : null;
}

internal sealed record ChatKitPage<T>(IReadOnlyList<T> Data, bool HasMore = false, string? After = null);

internal sealed record ChatKitThread(string Id, string? Title, DateTime CreatedAt, ChatKitStatus Status, ChatKitPage<ChatKitItem> Items)
{
    public static ChatKitThread From(SessionResponse session, ChatKitPage<ChatKitItem>? items = null) =>
        new(ChatKitIds.OfThread(session.SessionId), session.Title, session.CreatedAt, new("active"), items ?? new([]));
}

internal sealed record ChatKitStatus(string Type);

[JsonPolymorphic(TypeDiscriminatorPropertyName = "type")]
[JsonDerivedType(typeof(ChatKitUserMessage), "user_message")]
[JsonDerivedType(typeof(ChatKitAssistantMessage), "assistant_message")]
internal abstract record ChatKitItem(string Id, string ThreadId, DateTime CreatedAt)
{
    /// <summary>A note in place of a failed answer is shown in the answer's place.</summary>
    public static ChatKitItem From(MessageResponse message, Guid sessionId)
    {
        var thread = ChatKitIds.OfThread(sessionId);
        return message.Role == "user"
            ? new ChatKitUserMessage(ChatKitIds.OfItem(message.TurnId, ChatKitIds.Question), thread, message.CreatedAt, message.Content, message.SelectedText)
            : new ChatKitAssistantMessage(
                ChatKitIds.OfItem(message.TurnId, ChatKitIds.Answer), thread, message.CreatedAt, [ChatKitText.Of(message.Content, message.Citations)]);
    }
}

internal sealed record ChatKitUserMessage(
    string Id, string ThreadId, DateTime CreatedAt, IReadOnlyList<ChatKitInputPart> Content, IReadOnlyList<string> Attachments, string? QuotedText, ChatKitInference InferenceOptions)
    : ChatKitItem(Id, ThreadId, CreatedAt)
{
    public ChatKitUserMessage(string id, string threadId, DateTime createdAt, string text, string? quotedText)
        : this(id, threadId, createdAt, [new("input_text", text)], [], quotedText, new())
    {
    }
}

/// <summary>Nothing can be chosen.</summary>
internal sealed record ChatKitInference;

internal sealed record ChatKitAssistantMessage(string Id, string ThreadId, DateTime CreatedAt, IReadOnlyList<ChatKitText> Content)
    : ChatKitItem(Id, ThreadId, CreatedAt);

/// <param name="Annotations">The citations, each behind its first marker in the text.</param>
internal sealed record ChatKitText(string Type, string Text, IReadOnlyList<ChatKitAnnotation> Annotations)
{
    public static ChatKitText Of(string text, IReadOnlyList<Citation> citations) =>
        new("output_text", text, [.. citations.Select(citation => ChatKitAnnotation.Of(citation, text))]);
}

/// <param name="Index">Where its marker ends in the text, in UTF-16 code units; null if the text was cut before it.</param>
internal sealed record ChatKitAnnotation(string Type, ChatKitSource Source, int? Index)
{
    public static ChatKitAnnotation Of(Citation citation, string text) => new("annotation", ChatKitSource.Of(citation), CitationMarkers.EndOf(text, citation.Number));
}

/// <summary>A heading of the book: with its address, or its title alone where the book's address is not known.</summary>
internal sealed record ChatKitSource(
    string Type, string Title, string Description, string? Url = null, string? Id = null, bool? Interactive = null, IReadOnlyDictionary<string, string>? Data = null)
{
    public static ChatKitSource Of(Citation citation) => citation.Link is { } link
        ? new("url", citation.Label, citation.Snippet, Url: link)
        : new("entity", citation.Label, citation.Snippet, Id: $"{citation.Number}", Interactive: false, Data: new Dictionary<string, string>());
}
