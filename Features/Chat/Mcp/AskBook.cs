using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Stopping;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Search;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>The tool that asks the book's own voice. Each call is a turn in a conversation of its own.</summary>
internal static class AskBook
{
    private const string Name = "ask_book";

    /// <summary>The conversation of a question; null if its client has no session, so that a repeat cannot be known. The id is made of the request's, so
    /// that a repeat, or its cancellation, finds the turn on any replica.</summary>
    public static Guid? ConversationOf(Guid? session, RequestId? request) =>
        (session, request) is ({ } id, { } asked) ? UuidVersion5.Create(id, $"{asked.Id?.GetType().Name} {asked}") : null;

    [McpServerTool(Name = Name, Title = "Ask the book", ReadOnly = false, Destructive = false, OpenWorld = false, UseStructuredContent = true, OutputSchemaType = typeof(Result))]
    [Description("Answers a question from the book, with numbered citations of its pages. Each question is answered by itself: name what it is about.")]
    public static async Task<CallToolResult> CallAsync(
        [Description("The question, in any language; it is answered in the same."), StringLength(ChatRequest.MaxMessageLength, MinimumLength = 1)] string question,
        RequestContext<CallToolRequestParams> call, UnattendedTurns turns, IProgress<ProgressNotificationValue> progress, CancellationToken cancellationToken)
    {
        var (exchange, asked) = (McpExchange.Of(call), Question.Of(question, selectedText: null, pageUrl: null));
        var conversation = ConversationOf(exchange.Session, call.JsonRpcRequest.Id);
        var turn = await turns.AskAsync(asked, conversation, conversation is null ? null : Name, exchange.Reader, exchange.Context, cancellationToken);
        // A client that starts to number its requests again uses an id for another question.
        if (turn.Refusal?.ProblemDetails.Extensions["code"] is "idempotency_key_reused")
            turn = await turns.AskAsync(asked, sessionId: null, key: null, exchange.Reader, exchange.Context, cancellationToken);
        if (turn.Refusal is { ProblemDetails: var refusal })
            return ToolResults.Of(refusal);

        exchange.BeginStream();
        var steps = 0;
        await foreach (var step in turns.FollowAsync(turn, exchange.Reader.Subject, cancellationToken))
        {
            switch (step)
            {
                case TurnStep.Ended { ResponseJson: var response }:
                    return Answer(TurnJson.Read<ChatResponse>(response));
                case TurnStep.Failed { Failure: var failure }:
                    return ToolResults.Of(failure.ToProblem());
                default:
                    // For a client that asks for it: it may wait longer for an answer that makes progress.
                    progress.Report(new() { Progress = ++steps, Message = step is TurnStep.Delta ? "Writing the answer" : "Searching the book" });
                    break;
            }
        }

        throw new InvalidOperationException("The turn's steps ended without an end.");
    }

    private static CallToolResult Answer(ChatResponse response)
    {
        var sources = string.Concat(response.Citations.Select(c => $"\n[{c.Number}] {c.Label}{(c.Link is { } link ? $": {link}" : "")}"));
        return ToolResults.Of(
            sources.Length == 0 ? response.Response : $"{response.Response}\n\nSources:{sources}",
            new Result(
                response.Response, [.. response.Citations.Select(c => new Source(c.Number, c.Title, c.Heading, c.Link, c.Snippet))],
                TurnJson.Name(response.Grounding), response.Incomplete, response.SessionId, response.MessageId));
    }

    internal sealed record Result(
        [property: Description("Markdown. Markers such as [1] number its citations.")] string Answer,
        IReadOnlyList<Source> Citations,
        [property: Description("How well the book supports the answer: grounded, partial or none.")] string Grounding,
        [property: Description("True when the answer stops before its end.")] bool Incomplete,
        [property: Description("The conversation, which the API's other clients can go on with.")] Guid SessionId,
        [property: Description("The answer, for feedback.")] Guid MessageId);

    internal sealed record Source(
        int Number, string Title, string Heading,
        [property: Description("The heading's address; null where the book's address is not known.")] string? Url, string Snippet);
}
