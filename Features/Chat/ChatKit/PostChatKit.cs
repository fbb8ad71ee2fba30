using System.ComponentModel.DataAnnotations;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Limits;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Chat.ChatKit;

/// <summary>The server of OpenAI's ChatKit: one route, and the type of a request says what it asks for.</summary>
internal static class PostChatKit
{
    public static void MapPostChatKit(this IEndpointRouteBuilder chatKit) => chatKit
        .MapPost("", HandleAsync)
        .WithName(nameof(PostChatKit))
        .WithMetadata(ChatKitEvents.Description)
        .Validate<ChatKitRequest>()
        .FailsWith(StatusCodes.Status400BadRequest, "not_offered")
        .FailsWith(StatusCodes.Status401Unauthorized, "token_required")
        .FailsWith(StatusCodes.Status404NotFound, "session_not_found")
        .FailsWith(StatusCodes.Status404NotFound, "turn_not_found")
        .FailsWith(StatusCodes.Status404NotFound, "message_not_found")
        .FailsWhenLimited();

    /// <summary>ChatKit's server protocol: threads, messages, feedback.</summary>
    /// <remarks>
    /// Point ChatKit's `api.url` here. A thread is a conversation, as in `/chat`; its client's disconnect does not stop an answer, which
    /// `threads.get_by_id` finds. What keeps a question from being answered (a limit, say) is an `error` event, because ChatKit shows its message.
    /// Tools, forms, widgets' actions, attachments and transcription are not offered.
    /// </remarks>
    /// <response code="200">A stream for a question; otherwise JSON: the thread, the page or an empty object.</response>
    /// <response code="400">The request is not valid, or of a type that is not offered.</response>
    /// <response code="404">There is no such thread or item, or it belongs to another reader.</response>
    internal static Task<Results<ChatKitReply, ServerSentEvents, ProblemHttpResult>> HandleAsync(
        ChatKitRequest request,
        [FromHeader(Name = IdempotencyHeader.Name), StringLength(IdempotencyHeader.MaxLength, MinimumLength = 1), System.ComponentModel.Description("As in POST /chat, for a message; ChatKit itself sends none.")] string? idempotencyKey,
        CurrentReader reader, HttpContext context, ChatKitQuestions questions, ChatKitStore store, CancellationToken cancellationToken)
    {
        var parameters = request.Params!;
        return request.Type switch
        {
            ChatKitTypes.Create => questions.AskAsync(parameters, thread: null, idempotencyKey, reader, context, cancellationToken),
            ChatKitTypes.AddUserMessage => questions.AskAsync(parameters, ChatKitIds.ThreadOf(parameters.ThreadId), idempotencyKey, reader, context, cancellationToken),
            ChatKitTypes.RetryAfterItem => questions.RetryAsync(parameters, reader, context, cancellationToken),
            ChatKitTypes.Get => store.GetAsync(parameters, reader, cancellationToken),
            ChatKitTypes.List => store.ListAsync(parameters, reader, cancellationToken),
            ChatKitTypes.Update => store.RenameAsync(parameters, reader, cancellationToken),
            ChatKitTypes.Delete => store.DeleteAsync(parameters, reader, cancellationToken),
            ChatKitTypes.Items => store.ListItemsAsync(parameters, reader, cancellationToken),
            ChatKitTypes.Feedback => store.RateAsync(parameters, reader, cancellationToken),
            _ => Task.FromResult<Results<ChatKitReply, ServerSentEvents, ProblemHttpResult>>(
                Problem.Of(StatusCodes.Status400BadRequest, "not_offered", $"{request.Type} is not offered: the book has no tools, forms, actions, attachments and voice.")),
        };
    }
}
