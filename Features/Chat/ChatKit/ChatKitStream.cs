using System.Runtime.CompilerServices;
using System.Text.Json;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Sessions;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Http;

namespace ChatBackend.Features.Chat.ChatKit;

/// <summary>A turn as ChatKit's events. The client stops by hanging up, and the answer goes on: it is found in its thread.</summary>
internal static class ChatKitStream
{
    private const string Part = "assistant_message.content_part";

    /// <param name="asked">The question; null for one that is in the thread already.</param>
    /// <param name="isNew">True if the thread begins with it.</param>
    public static ServerSentEvents Of(OpenedTurn turn, IAsyncEnumerable<TurnStep> steps, DateTime now, Question? asked = null, bool isNew = false) =>
        new(WriteAsync(turn, steps, now, asked, isNew)) { IsReconnecting = false };

    /// <summary>Nothing was asked: the reader is told why.</summary>
    public static ServerSentEvents Refuse(string message, bool canRetry) => new(new[] { Error(message, canRetry) }.ToAsyncEnumerable()) { IsReconnecting = false };

    private static async IAsyncEnumerable<ServerSentEvent> WriteAsync(
        OpenedTurn turn, IAsyncEnumerable<TurnStep> steps, DateTime now, Question? asked, bool isNew, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var (turnId, sessionId) = (turn.TurnId, turn.SessionId);
        if (isNew)
            yield return Event(new { Type = "thread.created", Thread = ChatKitItems.Thread(SessionResponse.From(new(sessionId, Title: null, asked?.Message, now, now))) });
        if (asked is not null)
            yield return Event(new { Type = "thread.item.done", Item = ChatKitItems.Question(turnId, sessionId, now, asked.Message, asked.SelectedText) });
        yield return Event(new { Type = "stream_options", StreamOptions = new { AllowCancel = false } });

        var isAdded = false;
        await foreach (var step in steps.WithCancellation(cancellationToken))
        {
            // The text starts again in another attempt.
            if (isAdded && step is TurnStep.Begun or TurnStep.Failed)
                yield return Event(new { Type = "thread.item.removed", ItemId = ChatKitItems.AnswerId(turnId) });
            switch (step)
            {
                case TurnStep.Begun:
                    isAdded = true;
                    yield return Event(new { Type = "thread.item.added", Item = ChatKitItems.Answer(turnId, sessionId, now) });
                    yield return Updated(new { Type = $"{Part}.added", ContentIndex = 0, Content = ChatKitItems.Text("") });
                    break;
                case TurnStep.Delta { Text: var text }:
                    yield return Updated(new { Type = $"{Part}.text_delta", ContentIndex = 0, Delta = text });
                    break;
                case TurnStep.Ended { ResponseJson: var stored }:
                    var answer = TurnJson.Read<ChatResponse>(stored);
                    var annotations = ChatKitItems.Annotations(answer.Response, answer.Citations);
                    foreach (var (index, annotation) in annotations.Index())
                        yield return Updated(new { Type = $"{Part}.annotation_added", ContentIndex = 0, AnnotationIndex = index, annotation });
                    var content = ChatKitItems.Text(answer.Response, annotations);
                    yield return Updated(new { Type = $"{Part}.done", ContentIndex = 0, content });
                    yield return Event(new { Type = "thread.item.done", Item = ChatKitItems.Answer(turnId, sessionId, now, content) });
                    break;
                case TurnStep.Failed { Failure: var failure }:
                    yield return Error(failure.Detail, canRetry: true);
                    break;
            }
        }

        ServerSentEvent Updated<T>(T update) => Event(new { Type = "thread.item.updated", ItemId = ChatKitItems.AnswerId(turnId), update });
    }

    private static ServerSentEvent Error(string message, bool canRetry) => Event(new { Type = "error", Code = "custom", message, AllowRetry = canRetry });

    private static ServerSentEvent Event<T>(T data) => new(JsonSerializer.Serialize(data, ChatKitItems.Json));
}
