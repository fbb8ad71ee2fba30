using System.Text.Json;
using System.Text.Json.Serialization;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Sessions;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Json;

namespace ChatBackend.Features.Chat.ChatKit;

/// <summary>Conversations in ChatKit's shape. Ids are ours with its prefixes; an item is named after its turn, so that its id is known before the answer is written.</summary>
internal static class ChatKitItems
{
    public static readonly JsonSerializerOptions Json = new(TurnJson.Options)
    {
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Converters = { new UtcTimeConverter.OfDateTime() },
    };

    public static string ThreadId(Guid sessionId) => $"thr_{sessionId}";

    public static string QuestionId(Guid turnId) => $"msg_{turnId}_q";

    public static string AnswerId(Guid turnId) => $"msg_{turnId}_a";

    /// <summary>The key in an id of this kind; null if it is another text.</summary>
    public static Guid? Key(string? id, Func<Guid, string> kind) => id?.Length >= 40 && KeyId.TryParse(id[4..40], out var key) && kind(key) == id ? key : null;

    public static object Page(IEnumerable<object> data, string? next) => new { data, HasMore = next is not null, After = next };

    /// <param name="items">A page of them; null for an empty one.</param>
    public static object Thread(SessionResponse session, object? items = null) =>
        new { Id = ThreadId(session.SessionId), session.Title, session.CreatedAt, Status = new { Type = "active" }, Items = items ?? Page([], next: null) };

    /// <summary>A note in place of a failed answer is shown in the answer's place.</summary>
    public static object Of(MessageResponse message, Guid sessionId) => message.Role == "user"
        ? Question(message.TurnId, sessionId, message.CreatedAt, message.Content, message.SelectedText)
        : Answer(message.TurnId, sessionId, message.CreatedAt, Text(message.Content, Annotations(message.Content, message.Citations)));

    public static object Question(Guid turnId, Guid sessionId, DateTime createdAt, string text, string? quotedText) => new
    {
        Type = "user_message",
        Id = QuestionId(turnId),
        ThreadId = ThreadId(sessionId),
        createdAt,
        Content = new[] { new { Type = "input_text", text } },
        Attachments = Array.Empty<object>(),
        quotedText,
        InferenceOptions = new { },
    };

    public static object Answer(Guid turnId, Guid sessionId, DateTime createdAt, params object[] content) =>
        new { Type = "assistant_message", Id = AnswerId(turnId), ThreadId = ThreadId(sessionId), createdAt, content };

    public static object Text(string text, params object[] annotations) => new { Type = "output_text", text, annotations };

    /// <summary>The citations, each behind its first marker in the text; without an index if the text was cut before it.</summary>
    public static object[] Annotations(string text, IReadOnlyList<Citation> citations) =>
        [.. citations.Select(citation => new { Type = "annotation", Source = Source(citation), Index = CitationMarkers.EndOf(text, citation.Number) })];

    /// <summary>Where the book's address is not known, a heading is an entity, which has a title alone.</summary>
    private static object Source(Citation citation) => citation.Link is { } url
        ? new { Type = "url", Title = citation.Label, Description = citation.Snippet, url }
        : new { Type = "entity", Title = citation.Label, Description = citation.Snippet, Id = $"{citation.Number}", Interactive = false, Data = new { } };
}
