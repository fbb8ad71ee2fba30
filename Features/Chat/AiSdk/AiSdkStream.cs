using System.Runtime.CompilerServices;
using System.Text.Json;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;

namespace ChatBackend.Features.Chat.AiSdk;

/// <summary>A turn as a UI message stream (version 1). Only chunks and members that the first releases of <c>ai</c> 5, 6 and 7 know: they refuse others.</summary>
internal static class AiSdkStream
{
    public static readonly AnswerContent Description = new(
        ServerSentEvents.MediaType, "A UI message stream, version 1.", """data: {"type":"text-delta","id":"answer","delta":"Nodes talk over topics"}""" + "\n\n");

    private static readonly JsonSerializerOptions Json = new(TurnJson.Options) { PropertyNamingPolicy = JsonNamingPolicy.CamelCase };

    private static readonly ServerSentEvent StartStep = Event(new { Type = "start-step" });
    private static readonly ServerSentEvent FinishStep = Event(new { Type = "finish-step" });
    private static readonly ServerSentEvent TextStart = Event(new { Type = "text-start", Id = "answer" });
    private static readonly ServerSentEvent TextEnd = Event(new { Type = "text-end", Id = "answer" });
    private static readonly ServerSentEvent Done = new("[DONE]");

    public static ServerSentEvents Of(IAsyncEnumerable<TurnStep> steps, HttpResponse response)
    {
        response.Headers["x-vercel-ai-ui-message-stream"] = "v1";
        return new(WriteAsync(steps)) { IsReconnecting = false };
    }

    private static async IAsyncEnumerable<ServerSentEvent> WriteAsync(
        IAsyncEnumerable<TurnStep> steps, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var (hasBegun, isInText, cited) = (false, false, 0);
        await foreach (var step in steps.WithCancellation(cancellationToken))
        {
            if (isInText && step is TurnStep.Begun or TurnStep.Ended or TurnStep.Failed)
            {
                isInText = false;
                yield return TextEnd;
            }

            switch (step)
            {
                // The attempt before was lost. Its text stays in a step of its own, and the answer is in the last step.
                case TurnStep.Begun when hasBegun:
                    cited = 0;
                    yield return FinishStep;
                    yield return StartStep;
                    break;
                case TurnStep.Begun { TurnId: var turnId, SessionId: var sessionId }:
                    hasBegun = true;
                    yield return Event(new { Type = "start", MessageId = turnId, MessageMetadata = new { turnId, sessionId } });
                    yield return StartStep;
                    break;
                case TurnStep.Sources { Citations: var citations }:
                    foreach (var citation in citations.Skip(cited))
                        yield return Source(citation);
                    cited = citations.Count;
                    break;
                case TurnStep.Delta { Text: var text }:
                    if (!isInText)
                        yield return TextStart;
                    isInText = true;
                    yield return Event(new { Type = "text-delta", Id = "answer", Delta = text });
                    break;
                case TurnStep.Ended ended:
                    var answer = TurnJson.Read<ChatResponse>(ended.ResponseJson);
                    yield return Event(new { Type = "data-grounding", Data = new { answer.Grounding, answer.Incomplete, answer.FinishReason } });
                    yield return FinishStep;
                    yield return Event(new { Type = "finish", MessageMetadata = new { answer.MessageId, answer.Model, answer.Usage } });
                    yield return Done;
                    break;
                case TurnStep.Failed { Failure: var failure }:
                    yield return Event(new { Type = "error", ErrorText = failure.Detail });
                    yield return Done;
                    break;
            }
        }
    }

    /// <summary>The id of a source is the number of its marker in the text. Without a link it is a document, which has only a title.</summary>
    private static ServerSentEvent Source(Citation citation) => citation.Link is { } link
        ? Event(new { Type = "source-url", SourceId = $"{citation.Number}", Url = link, Title = citation.Label })
        : Event(new { Type = "source-document", SourceId = $"{citation.Number}", MediaType = "text/html", Title = citation.Label });

    private static ServerSentEvent Event<T>(T chunk) => new(JsonSerializer.Serialize(chunk, Json));
}
