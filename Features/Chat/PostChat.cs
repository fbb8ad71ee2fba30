using System.ComponentModel.DataAnnotations;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Limits;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Chat;

/// <summary>A question about the book.</summary>
/// <param name="Message">The question: 1 to 4,000 characters after trimming.</param>
/// <param name="SessionId">The conversation to continue; without it a new one begins. A client may choose the id itself (a random UUID).</param>
/// <param name="SelectedText">Text that the reader selected on the page, up to 8,000 characters: the question is about it.</param>
/// <param name="PageUrl">The page that the reader is on: its passages are preferred.</param>
/// <example>{"message":"How do two ROS 2 nodes talk to each other?","page_url":"/docs/ros2/nodes-and-topics"}</example>
internal sealed record ChatRequest(
    [property: StringLength(ChatRequest.MaxMessageLength, MinimumLength = 1)] string Message,
    string? SessionId = null,
    [property: StringLength(ChatRequest.MaxSelectedTextLength)] string? SelectedText = null,
    [property: StringLength(ChatRequest.MaxPageUrlLength)] string? PageUrl = null)
{
    internal const int MaxMessageLength = 4_000;
    internal const int MaxSelectedTextLength = 8_000;
    internal const int MaxPageUrlLength = 2_000;
}

internal sealed class ChatRequestValidator : AbstractValidator<ChatRequest>
{
    public ChatRequestValidator()
    {
        RuleFor(r => r.Message).Question();
        RuleFor(r => r.SessionId)
            .Must(id => id is null || KeyId.TryParse(id, out _))
            .WithMessage("must be a UUID in lower case with hyphens, or absent.");
        RuleFor(r => r.SelectedText).SelectedText();
        RuleFor(r => r.PageUrl).PageUrl();
    }
}

/// <summary>What a question must be, at every door.</summary>
internal static class ChatRules
{
    public static IRuleBuilderOptions<T, string?> Question<T>(this IRuleBuilder<T, string?> rule) => rule
        .Must(m => ValidationFilter.Length(m?.Trim()) is > 0 and <= ChatRequest.MaxMessageLength)
        .WithMessage($"must hold 1 to {ChatRequest.MaxMessageLength} characters after trimming.")
        .StorableText();

    public static IRuleBuilderOptions<T, string?> SelectedText<T>(this IRuleBuilder<T, string?> rule) => rule
        .Must(t => ValidationFilter.Length(t) <= ChatRequest.MaxSelectedTextLength)
        .WithMessage($"must hold at most {ChatRequest.MaxSelectedTextLength} characters.")
        .StorableText();

    public static IRuleBuilderOptions<T, string?> PageUrl<T>(this IRuleBuilder<T, string?> rule) => rule
        .Must(u => ValidationFilter.Length(u) <= ChatRequest.MaxPageUrlLength)
        .WithMessage($"must hold at most {ChatRequest.MaxPageUrlLength} characters.")
        .StorableText();
}

internal static class PostChat
{
    public static void MapPostChat(this IEndpointRouteBuilder chat) => chat
        .MapPost("", HandleAsync)
        .WithName(nameof(PostChat))
        .Validate<ChatRequest>()
        .FailsWith(StatusCodes.Status404NotFound, "session_not_found")
        .FailsWith(StatusCodes.Status422UnprocessableEntity, "idempotency_key_reused")
        .FailsWhenLimited()
        .FailsWhenSpent();

    /// <summary>Ask the book a question.</summary>
    /// <remarks>
    /// The question is stored before the model is asked, and the server finishes the turn even if the client disconnects. If
    /// `Accept` prefers `text/event-stream` to JSON, the answer is streamed as `turn`, `citations`, `delta`…, `completed`, `stopped` or `error`.
    /// </remarks>
    /// <response code="200">The answer, with the passages that it cites.</response>
    /// <response code="400">The body is not valid; <c>errors</c> names its fields.</response>
    /// <response code="404">The session belongs to another reader.</response>
    /// <response code="422">The key was used before with another body.</response>
    /// <response code="429">Too many questions from this client, or the tokens for today are used up; Retry-After says when to retry. A repeated key whose turn is running or answered is served all the same.</response>
    /// <response code="500">The model failed or timed out; the turn is stored as failed.</response>
    /// <response code="503">The database or the model is unavailable.</response>
    internal static async Task<Results<TurnResult, ServerSentEvents, ProblemHttpResult>> HandleAsync(
        ChatRequest request,
        [FromHeader(Name = IdempotencyHeader.Name), StringLength(IdempotencyHeader.MaxLength, MinimumLength = 1), System.ComponentModel.Description("A repeated request with the same key and body gets the same turn, never a second one, for as long as the conversation is kept. Keys are unique within session_id or, without one, within the token's subject. Without either, the key must be a random UUID: anyone who sends the same key and body gets the turn.")] string? idempotencyKey,
        CurrentReader reader,
        HttpContext context,
        TurnOpener opener,
        TurnAnswers answers,
        CancellationToken cancellationToken)
    {
        var turn = await opener.AskAsync(
            Question.Of(request.Message, request.SelectedText, request.PageUrl), request.SessionId is null ? null : Guid.Parse(request.SessionId), idempotencyKey, reader, context, cancellationToken);
        return await answers.AnswerAsync(turn, context, cancellationToken);
    }
}
