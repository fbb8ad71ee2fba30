using System.ComponentModel;
using System.Text.Json;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Stopping;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>The tool that asks the book's own voice. Each call is a turn in a conversation of its own.</summary>
internal sealed class AskBook(UnattendedTurns turns)
{
    public static readonly Tool Tool = new()
    {
        Name = "ask_book",
        Title = "Ask the book",
        Description = "Answers a question from the book, with numbered citations of its pages. Each question is answered by itself: name what it is about.",
        Annotations = new() { ReadOnlyHint = false, DestructiveHint = false, OpenWorldHint = false },
        InputSchema = JsonElement.Parse(
            $$$"""
            {"type": "object", "required": ["question"], "properties": {
              "question": {"type": "string", "minLength": 1, "maxLength": {{{ChatRequest.MaxMessageLength}}}, "description": "The question, in any language; it is answered in the same."}
            }}
            """),
        OutputSchema = ToolResults.SchemaOf<Result>(),
    };

    /// <param name="conversation">The conversation that this request opens; null if its client has no session, so that a repeat cannot be known.</param>
    public async Task<CallToolResult> CallAsync(
        RequestContext<CallToolRequestParams> request, Guid? conversation, CurrentReader reader, HttpContext context, CancellationToken cancellationToken)
    {
        var arguments = new ToolArguments(request.Params.Arguments);
        var text = arguments.Text("question", ChatRequest.MaxMessageLength);
        if (arguments.Fault is { } fault)
            return ToolResults.Invalid(fault);

        var question = new Question(text, SelectedText: null, PageUrl: null);
        var opened = await turns.AskAsync(question, conversation, conversation is null ? null : Tool.Name, reader, context, cancellationToken);
        // A client that starts to number its requests again uses an id for another question.
        if (opened.Refusal?.ProblemDetails.Extensions["code"] is "idempotency_key_reused")
            opened = await turns.AskAsync(question, sessionId: null, key: null, reader, context, cancellationToken);
        if (opened.Refusal is { ProblemDetails: var refusal })
            return ToolResults.Of(refusal);

        return await AnswerAsync(opened, reader, request, cancellationToken);
    }

    /// <summary>Tells a client that asks for progress about every step: it may wait longer for an answer that makes progress.</summary>
    private async Task<CallToolResult> AnswerAsync(OpenedTurn opened, CurrentReader reader, RequestContext<CallToolRequestParams> request, CancellationToken cancellationToken)
    {
        var steps = 0;
        await foreach (var step in turns.FollowAsync(opened, reader.Subject, cancellationToken))
        {
            switch (step)
            {
                case TurnStep.Ended { ResponseJson: var response }:
                    return Answer(TurnJson.Read<ChatResponse>(response));
                case TurnStep.Failed { Failure: var failure }:
                    return ToolResults.Refused(failure.Detail, failure.Code, failure.RetryAfterSeconds);
                default:
                    if (request.Params.ProgressToken is { } token)
                        await request.Server.NotifyProgressAsync(token, new() { Progress = ++steps, Message = step is TurnStep.Delta ? "Writing the answer" : "Searching the book" }, cancellationToken: cancellationToken);
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
