using System.ComponentModel.DataAnnotations;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Serialization;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Limits;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Npgsql;

namespace ChatBackend.Features.Chat.AiSdk;

/// <summary>What the transports of the AI SDK send. Only the last user message is read: the conversation is the stored one.</summary>
/// <param name="Id">The chat: a UUID, which is the session's id, or another text that nobody can guess.</param>
/// <param name="Messages">The chat's messages.</param>
/// <param name="Message">The user's message alone, for a client that does not send all of them.</param>
/// <param name="Trigger">submit-message, or regenerate-message to ask the last question again.</param>
/// <param name="MessageId">The message to ask again for; without it the last one.</param>
/// <param name="SelectedText">Text that the reader selected on the page, up to 8,000 characters: the question is about it.</param>
/// <param name="PageUrl">The page that the reader is on: its passages are preferred.</param>
/// <example>{"id":"019a7c1e-5b0e-4c3a-9f52-0d3b8a6f4e21","trigger":"submit-message","page_url":"/docs/ros2/nodes-and-topics"}</example>
internal sealed record AiSdkRequest(
    string? Id, IReadOnlyList<AiSdkMessage?>? Messages = null, AiSdkMessage? Message = null,
    [property: AllowedValues("submit-message", "regenerate-message")] string? Trigger = null,
    [property: JsonPropertyName("messageId")] string? MessageId = null,
    [property: StringLength(ChatRequest.MaxSelectedTextLength)] string? SelectedText = null,
    [property: StringLength(ChatRequest.MaxPageUrlLength)] string? PageUrl = null)
{
    internal const int MaxBytes = 2 * 1024 * 1024;

    internal AiSdkMessage? Asked => Message ?? Messages?.LastOrDefault(m => m?.Role == "user");
}

/// <summary>A message of the AI SDK.</summary>
/// <param name="Id">Its id: the question's idempotency key.</param>
/// <param name="Role">user; messages of other roles are ignored.</param>
/// <param name="Parts">Its parts; those that are no text are ignored.</param>
/// <example>{"id":"msg-1","role":"user"}</example>
internal sealed record AiSdkMessage(string? Id, string? Role, IReadOnlyList<AiSdkPart?>? Parts)
{
    /// <summary>A hash of the id, which may be any text.</summary>
    internal string? Key => string.IsNullOrEmpty(Id) ? null : Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(Id)));

    internal string Text => string.Join('\n', (Parts ?? []).Where(p => p is { Type: "text", Text: not null }).Select(p => p!.Text)).Trim();
}

/// <summary>A part of a message.</summary>
/// <param name="Type">text; other parts are ignored.</param>
/// <param name="Text">The text.</param>
/// <example>{"type":"text","text":"How do two ROS 2 nodes talk to each other?"}</example>
internal sealed record AiSdkPart(string? Type, string? Text);

internal sealed class AiSdkRequestValidator : AbstractValidator<AiSdkRequest>
{
    public AiSdkRequestValidator()
    {
        // Whether a short id will do depends on the token, which the handler knows.
        RuleFor(r => r.Id).Must(id => id is { Length: > 0 and <= ChatId.MaxLength }).WithMessage(ChatId.Rule).StorableText();
        RuleFor(r => r.Asked == null ? "" : r.Asked.Text).Question().OverridePropertyName("messages");
        RuleFor(r => r.SelectedText).SelectedText();
        RuleFor(r => r.PageUrl).PageUrl();
    }
}

internal static class PostAiSdkChat
{
    /// <summary>Its clients show the body of an error as it is.</summary>
    public static readonly ProblemShape Errors = new("/api/chat", "text/plain", problem => problem.Detail ?? problem.Title ?? "");

    public static void MapPostAiSdkChat(this IEndpointRouteBuilder aiSdk) => aiSdk
        .MapPost("", HandleAsync)
        .WithName(nameof(PostAiSdkChat))
        .WithMetadata(new RequestSizeLimitAttribute(AiSdkRequest.MaxBytes), AiSdkStream.Description)
        .Validate<AiSdkRequest>()
        .FailsWith(StatusCodes.Status404NotFound, "session_not_found")
        .FailsWith(StatusCodes.Status409Conflict, "turn_running")
        .FailsWhenLimited()
        .FailsWhenSpent();

    /// <summary>Ask the book a question, from the AI SDK.</summary>
    /// <remarks>
    /// For `useChat` of `ai` 5, 6 and 7. As with `POST /chat`, the answer goes on when the client disconnects: `GET /api/chat/{id}/stream` resumes it,
    /// `POST /chat/turns/{id}/stop` stops it. The answer's message has the turn's id. Errors are plain text, which its clients show.
    /// </remarks>
    /// <response code="200">The answer.</response>
    /// <response code="400">The body is not valid, or the chat's id could be guessed.</response>
    /// <response code="404">The chat belongs to another reader.</response>
    /// <response code="409">The answer to ask for again, or one after it, is running (also for an edited question), or was replaced before.</response>
    /// <response code="429">Too many questions from this client, or the tokens for today are used up; Retry-After says when to retry.</response>
    internal static async Task<Results<ServerSentEvents, ProblemHttpResult>> HandleAsync(
        AiSdkRequest request, CurrentReader reader, HttpContext context, NpgsqlDataSource database, TurnOpener opener, TurnReader turns,
        CancellationToken cancellationToken)
    {
        if (ChatId.ToSession(request.Id, reader.Subject) is not { } sessionId)
            return Problem.Invalid("id", ChatId.Rule);

        var asked = request.Asked!;
        var question = Question.Of(asked.Text, request.SelectedText, request.PageUrl);
        var isAgain = request.Trigger == "regenerate-message";
        var replaces = isAgain || request.MessageId is not null;
        // A new message has an id of its client's. One that the page has loaded from the store has ours.
        var again = replaces || KeyId.TryParse(asked.Id, out _) ? await AgainAsync(replaces ? asked.Key : null) : null;
        // What was refused before it was stored can only be asked for the first time.
        var turn = again ?? await opener.AskAsync(question, sessionId, asked.Key, reader, context, cancellationToken);
        if (turn.Refusal is { StatusCode: StatusCodes.Status422UnprocessableEntity })
            turn = await AgainAsync(asked.Key) ?? turn;
        return turn.Refusal is { } refusal ? refusal : AiSdkStream.Of(turns.FollowAsync(turn.TurnId, after: null, cancellationToken), context.Response);

        Task<OpenedTurn?> AgainAsync(string? key) =>
            RegenerateTurn.ReplaceAsync(sessionId, [request.MessageId, asked.Id], key, question, isAgain, reader, context, database, opener, cancellationToken);
    }
}
