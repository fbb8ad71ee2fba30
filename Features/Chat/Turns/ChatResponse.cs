using System.Text.Json.Serialization;
using ChatBackend.Features.Chat.Answering;

namespace ChatBackend.Features.Chat.Turns;

/// <summary>The answer to a question.</summary>
/// <param name="Response">Markdown without HTML and images. Markers such as [1] number its citations; links are http, https, mailto or relative.</param>
/// <param name="SessionId">The conversation; send it with the next question.</param>
/// <param name="Timestamp">When the answer was complete.</param>
/// <param name="MessageId">The answer's message, for feedback.</param>
/// <param name="TurnId">The turn, for <c>GET /chat/turns/{id}</c>.</param>
/// <param name="Citations">The passages that the answer cites, in the order of first use.</param>
/// <param name="Grounding">How well the book supports the answer.</param>
/// <param name="Incomplete">True when the answer stops before its end.</param>
/// <param name="FinishReason">stop, length, content_filter, interrupted, or stopped: the reader stopped the turn, and the text is what was written until then.</param>
/// <param name="Model">The model that answered; offline-extractive when the book was quoted without a model, small-talk for a prepared reply.</param>
/// <example>{"response":"Over a topic: one node publishes messages, the other subscribes to them [1].",
/// "incomplete":false,"finish_reason":"stop","model":"gpt-4o-mini"}</example>
internal sealed record ChatResponse(
    string Response, Guid SessionId, DateTimeOffset Timestamp, Guid MessageId, Guid TurnId,
    IReadOnlyList<Citation> Citations, Grounding Grounding, bool Incomplete, string FinishReason, string Model, Usage Usage)
{
    private const string Stopped = "stopped";

    [JsonIgnore]
    public bool IsStopped => FinishReason == Stopped;

    public static ChatResponse From(Answer answer, ClaimedTurn turn, DateTimeOffset timestamp, int latencyMs) => new(
        answer.Text, turn.SessionId, timestamp, Guid.NewGuid(), turn.Id, answer.Citations, answer.Grounding, answer.IsIncomplete,
        answer.IsStopped ? Stopped : answer.Finish is { } finish ? TurnJson.Name(finish) : "interrupted", answer.Model,
        new(answer.Usage?.InputTokens, answer.Usage?.OutputTokens, latencyMs));
}

/// <summary>The tokens and the time that a turn took.</summary>
/// <param name="InputTokens">Tokens of the prompt; null when the model does not report them.</param>
/// <param name="OutputTokens">Tokens of the answer; null when the model does not report them.</param>
/// <param name="LatencyMs">Milliseconds from the question to the end of the answer.</param>
/// <example>{"input_tokens":1840,"output_tokens":96,"latency_ms":1420}</example>
internal sealed record Usage(int? InputTokens, int? OutputTokens, int LatencyMs);
