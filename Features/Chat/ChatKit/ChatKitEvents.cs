using System.Runtime.CompilerServices;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Json;
using ChatBackend.Infrastructure.Http.OpenApi;

namespace ChatBackend.Features.Chat.ChatKit;

/// <summary>A turn as ChatKit's events. The client stops by hanging up, and the answer goes on: it is found in its thread.</summary>
internal sealed class ChatKitEvents(TurnReader turns, TimeProvider time)
{
    public static readonly AnswerContent Description = new(
        ServerSentEvents.MediaType, "ChatKit's events, the data of each one line of JSON.",
        """data: {"type":"thread.item.updated","item_id":"msg_1","update":{"type":"assistant_message.content_part.text_delta","content_index":0,"delta":"Nodes"}}""" + "\n\n");

    public static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        Converters = { new UtcTimeConverter.OfDateTime() },
    };

    /// <summary>Nothing was asked: the reader is told why.</summary>
    public static ServerSentEvents Refuse(string message, bool canRetry) => new(Once(Error(message, canRetry))) { IsReconnecting = false };

    /// <param name="opening">The events before the answer.</param>
    public ServerSentEvents Stream(Guid turnId, Guid sessionId, IReadOnlyList<object> opening, CancellationToken cancellationToken) =>
        new(WriteAsync(turnId, sessionId, opening, cancellationToken)) { IsReconnecting = false };

    private async IAsyncEnumerable<ServerSentEvent> WriteAsync(
        Guid turnId, Guid sessionId, IReadOnlyList<object> opening, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        foreach (var one in opening)
            yield return Event(one);
        yield return Event(new { Type = "stream_options", StreamOptions = new { AllowCancel = false } });

        var item = new ChatKitAssistantMessage(ChatKitIds.OfItem(turnId, ChatKitIds.Answer), ChatKitIds.OfThread(sessionId), time.GetUtcNow().UtcDateTime, []);
        var isAdded = false;
        await foreach (var step in turns.FollowAsync(turnId, after: null, cancellationToken))
        {
            switch (step)
            {
                case TurnStep.Begun:
                    // The text starts again in another attempt.
                    if (isAdded)
                        yield return Removed();
                    isAdded = true;
                    yield return Event(new { Type = "thread.item.added", Item = (ChatKitItem)item });
                    yield return Updated(new { Type = "assistant_message.content_part.added", ContentIndex = 0, Content = ChatKitText.Of("", []) });
                    break;
                case TurnStep.Delta { Text: var text }:
                    yield return Updated(new { Type = "assistant_message.content_part.text_delta", ContentIndex = 0, Delta = text });
                    break;
                case TurnStep.Ended { ResponseJson: var stored }:
                    var response = TurnJson.Read<ChatResponse>(stored);
                    var content = ChatKitText.Of(response.Response, response.Citations);
                    foreach (var (index, annotation) in content.Annotations.Index())
                        yield return Updated(new { Type = "assistant_message.content_part.annotation_added", ContentIndex = 0, AnnotationIndex = index, Annotation = annotation });
                    yield return Updated(new { Type = "assistant_message.content_part.done", ContentIndex = 0, Content = content });
                    yield return Event(new { Type = "thread.item.done", Item = (ChatKitItem)(item with { Content = [content] }) });
                    break;
                case TurnStep.Failed { Failure: var failure }:
                    if (isAdded)
                        yield return Removed();
                    yield return Error(failure.Detail, canRetry: true);
                    break;
            }
        }

        ServerSentEvent Updated(object update) => Event(new { Type = "thread.item.updated", ItemId = item.Id, Update = update });

        ServerSentEvent Removed() => Event(new { Type = "thread.item.removed", ItemId = item.Id });
    }

    private static ServerSentEvent Error(string message, bool canRetry) => Event(new { Type = "error", Code = "custom", Message = message, AllowRetry = canRetry });

    private static ServerSentEvent Event(object data) => new(JsonSerializer.Serialize(data, Json));

    private static async IAsyncEnumerable<ServerSentEvent> Once(ServerSentEvent one)
    {
        await Task.CompletedTask;
        yield return one;
    }
}
