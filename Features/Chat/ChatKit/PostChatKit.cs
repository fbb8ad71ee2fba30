using System.ComponentModel.DataAnnotations;
using System.Net.Mime;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Limits;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Chat.ChatKit;

/// <summary>A valid request, and who sent it.</summary>
/// <param name="Key">The Idempotency-Key; null for none.</param>
internal sealed record ChatKitCall(ChatKitParams Parameters, string? Key, CurrentReader Reader, HttpContext Context)
{
    /// <summary>The session of a request whose type needs a thread.</summary>
    public Guid Thread => ChatKitItems.Key(Parameters.ThreadId, ChatKitItems.ThreadId)!.Value;

    public CancellationToken Cancelled => Context.RequestAborted;
}

internal delegate Task<Results<JsonHttpResult<object>, ServerSentEvents, ProblemHttpResult>> ChatKitAnswer(ChatKitThreads threads, ChatKitCall call);

/// <summary>The server of OpenAI's ChatKit: one route, and the type of a request says what it asks for.</summary>
internal static class PostChatKit
{
    /// <summary>The parameters that a type of request must have, and what answers it.</summary>
    public static readonly Dictionary<string, (string[] Needs, ChatKitAnswer AnswerAsync)> Types = new()
    {
        ["threads.create"] = (["input"], (threads, call) => threads.AskAsync(call, thread: null)),
        ["threads.add_user_message"] = (["thread_id", "input"], (threads, call) => threads.AskAsync(call, call.Thread)),
        ["threads.retry_after_item"] = (["thread_id", "item_id"], (threads, call) => threads.RetryAsync(call)),
        ["threads.get_by_id"] = (["thread_id"], (threads, call) => threads.GetAsync(call)),
        ["threads.list"] = ([], (threads, call) => threads.ListAsync(call)),
        ["threads.update"] = (["thread_id", "title"], (threads, call) => threads.RenameAsync(call)),
        ["threads.delete"] = (["thread_id"], (threads, call) => threads.DeleteAsync(call)),
        ["items.list"] = (["thread_id"], (threads, call) => threads.ListItemsAsync(call)),
        ["items.feedback"] = (["thread_id", "item_ids", "kind"], (threads, call) => threads.RateAsync(call)),
    };

    /// <summary>ChatKit's other types.</summary>
    public static readonly string[] NotOffered =
    [
        "threads.add_client_tool_output", "threads.add_structured_input", "threads.custom_action", "threads.sync_custom_action",
        "attachments.create", "attachments.delete", "input.transcribe",
    ];

    public static void MapPostChatKit(this IEndpointRouteBuilder chatKit) => chatKit
        .MapPost("", HandleAsync)
        .WithName(nameof(PostChatKit))
        .WithMetadata(
            new AnswerContent(
                MediaTypeNames.Application.Json, "A thread, a page of threads or of items, or an empty object.",
                """{"id":"thr_0f8fad5b-d9cb-469f-a165-70867728950e","title":"Topics","created_at":"2026-03-01T09:30:00Z","status":{"type":"active"},"items":{"data":[],"has_more":false}}"""),
            new AnswerContent(
                ServerSentEvents.MediaType, "ChatKit's events, the data of each one line of JSON.",
                """data: {"type":"thread.item.updated","item_id":"msg_1","update":{"type":"assistant_message.content_part.text_delta","content_index":0,"delta":"Nodes"}}""" + "\n\n"))
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
    internal static async Task<Results<JsonHttpResult<object>, ServerSentEvents, ProblemHttpResult>> HandleAsync(
        ChatKitRequest request,
        [FromHeader(Name = IdempotencyHeader.Name), StringLength(IdempotencyHeader.MaxLength, MinimumLength = 1), System.ComponentModel.Description("As in POST /chat, for a message; ChatKit itself sends none.")] string? idempotencyKey,
        CurrentReader reader, HttpContext context, ChatKitThreads threads) => Types.TryGetValue(request.Type, out var type)
            ? await type.AnswerAsync(threads, new(request.Params!, idempotencyKey, reader, context))
            : Problem.Of(StatusCodes.Status400BadRequest, "not_offered", $"{request.Type} is not offered: the book has no tools, forms, actions, attachments and voice.");
}
