using System.Runtime.CompilerServices;
using System.Text.Json.Serialization;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Ai.Safety;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Chat.OpenAi;

/// <summary>A chat completion. The members from citations on are this service's own.</summary>
/// <param name="Object">chat.completion</param>
/// <param name="Created">When the answer was complete, in seconds since 1970.</param>
/// <param name="Model">book</param>
/// <param name="Choices">The answer.</param>
/// <param name="Usage">Absent when the model does not report its tokens.</param>
/// <param name="Citations">The passages that the answer cites; the footnotes at its end name them, too.</param>
/// <param name="Grounding">How well the book supports the answer.</param>
/// <param name="TurnId">The turn, for <c>GET /chat/turns/{id}</c>.</param>
/// <example>{"id":"chatcmpl-019a7c1e5b0e7c3a9f520d3b8a6f4e21","object":"chat.completion","created":1772357400,"model":"book"}</example>
internal sealed record Completion(
    string Id, string Object, long Created, string Model, IReadOnlyList<CompletionChoice> Choices,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] CompletionUsage? Usage,
    IReadOnlyList<Citation> Citations, Grounding Grounding, Guid TurnId)
{
    public const string Book = "book";

    private const string ChunkName = "chat.completion.chunk";

    public static readonly AnswerContent Description = new(
        ServerSentEvents.MediaType, "Chunks of a chat completion; the last one before [DONE] has the members of this service.",
        """data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1772357400,"model":"book","choices":[{"index":0,"delta":{"content":"Nodes"},"finish_reason":null}]}""" + "\n\n");

    /// <summary>Errors in OpenAI's shape.</summary>
    public static readonly ProblemShape Errors = new("/v1", "application/json", problem => TurnJson.Write(new { Error = ErrorOf(problem) }));

    public static Completion Of(ChatResponse answer) => new(
        IdOf(answer.TurnId), "chat.completion", answer.Timestamp.ToUnixTimeSeconds(), Book,
        [new(0, new("assistant", answer.Response + Footnotes(answer.Citations), Refusal: null), FinishOf(answer), Logprobs: null)],
        CompletionUsage.Of(answer.Usage), answer.Citations, answer.Grounding, answer.TurnId);

    /// <summary>A turn as the chunks of a stream.</summary>
    public static async IAsyncEnumerable<ServerSentEvent> ChunksAsync(
        OpenedTurn turn, IAsyncEnumerable<TurnStep> steps, CompletionStreamOptions? options, long created, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var id = IdOf(turn.TurnId);
        var hasText = false;
        await foreach (var step in steps.WithCancellation(cancellationToken))
        {
            switch (step)
            {
                // What was sent cannot be taken back, and the text starts again.
                case TurnStep.Begun when hasText:
                    yield return Error(new(StatusCodes.Status503ServiceUnavailable, "answer_restarted", "The answer was lost and starts again. Ask again.", RetryAfterSeconds: 1, []));
                    yield break;
                case TurnStep.Begun:
                    yield return Chunk(new { Role = "assistant", Content = "" });
                    break;
                case TurnStep.Delta { Text: var text }:
                    hasText = true;
                    yield return Chunk(new { Content = text });
                    break;
                case TurnStep.Ended ended:
                    var answer = TurnJson.Read<ChatResponse>(ended.ResponseJson);
                    if (answer.Citations.Count > 0)
                        yield return Chunk(new { Content = Footnotes(answer.Citations) });
                    var choices = new[] { new { Index = 0, Delta = new { }, FinishReason = FinishOf(answer) } };
                    yield return new(TurnJson.Write(new { id, Object = ChunkName, created, Model = Book, choices, answer.Citations, answer.Grounding, answer.TurnId }));
                    if (options?.IncludeUsage is true && CompletionUsage.Of(answer.Usage) is { } usage)
                        yield return new(TurnJson.Write(new { id, Object = ChunkName, created, Model = Book, Choices = Array.Empty<object>(), usage }));
                    yield return new("[DONE]");
                    break;
                case TurnStep.Failed { Failure: var failure }:
                    yield return Error(failure);
                    break;
            }
        }

        ServerSentEvent Chunk<T>(T delta) =>
            new(TurnJson.Write(new { id, Object = ChunkName, created, Model = Book, Choices = new[] { new { Index = 0, Delta = delta, FinishReason = default(string) } } }));

        static ServerSentEvent Error(TurnFailure failure) => new(Errors.Write(failure.ToProblem()));
    }

    private static string IdOf(Guid turnId) => $"chatcmpl-{turnId:N}";

    /// <summary>OpenAI's reasons only: its clients refuse others. Whatever cut the answer, it is not whole.</summary>
    private static string FinishOf(ChatResponse answer) =>
        answer.FinishReason is "content_filter" ? answer.FinishReason : answer.Incomplete ? "length" : "stop";

    /// <summary>A list whose numbers are those of the markers in the text.</summary>
    private static string Footnotes(IReadOnlyList<Citation> citations) => citations.Count == 0 ? "" : "\n\n---\n\n" + string.Join('\n', citations.Select(c =>
        c.Link is { } link ? $"{c.Number}. [{PlainMarkdown.Of(c.Label)}](<{link}>)" : $"{c.Number}. {PlainMarkdown.Of(c.Label)}"));

    private static object ErrorOf(ProblemDetails problem) => new
    {
        Message = problem.Detail ?? problem.Title,
        Type = problem.Status is StatusCodes.Status429TooManyRequests ? "rate_limit_error" : problem.Status < 500 ? "invalid_request_error" : "server_error",
        Param = problem.Extensions.TryGetValue("errors", out var errors) && errors is IDictionary<string, string[]> { Count: > 0 } fields ? fields.First().Key : null,
        Code = problem.Extensions["code"],
    };
}

/// <summary>The answer of a completion.</summary>
/// <param name="FinishReason">stop, length if the answer was cut for any reason, or content_filter.</param>
/// <param name="Logprobs">null</param>
/// <example>{"index":0,"finish_reason":"stop","logprobs":null}</example>
internal sealed record CompletionChoice(int Index, CompletionAnswer Message, string FinishReason, string? Logprobs);

/// <summary>The message of an answer.</summary>
/// <param name="Content">Markdown, with a list of the cited pages at its end.</param>
/// <example>{"role":"assistant","content":"Over a topic [1].\n\n---\n\n1. [Nodes and Topics](&lt;https://book.example/docs/ros2/nodes-and-topics&gt;)","refusal":null}</example>
internal sealed record CompletionAnswer(string Role, string Content, string? Refusal);

/// <summary>The tokens of an answer.</summary>
/// <example>{"prompt_tokens":1840,"completion_tokens":96,"total_tokens":1936}</example>
internal sealed record CompletionUsage(int PromptTokens, int CompletionTokens, int TotalTokens)
{
    public static CompletionUsage? Of(Usage usage) =>
        usage is { InputTokens: { } input, OutputTokens: { } output } ? new(input, output, input + output) : null;
}
