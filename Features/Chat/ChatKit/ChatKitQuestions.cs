using ChatBackend.Features.Chat.Sessions;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Problems;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Chat.ChatKit;

/// <summary>The requests that are answered by a stream.</summary>
internal sealed class ChatKitQuestions(
    TurnOpener opener, ChatKitEvents events, TurnLeases leases, NpgsqlDataSource database, IValidator<ChatRequest> rules, TimeProvider time)
{
    /// <param name="thread">Null for a new one.</param>
    public async Task<Results<ChatKitReply, ServerSentEvents, ProblemHttpResult>> AskAsync(
        ChatKitParams parameters, Guid? thread, string? key, CurrentReader reader, HttpContext context, CancellationToken cancellationToken)
    {
        var input = parameters.Input!;
        if (await rules.ValidateAsync(new(input.Text, SelectedText: input.QuotedText), cancellationToken) is { IsValid: false } faults)
            return Refused(ValidationFilter.Invalid(faults));
        // A thread that was deleted does not begin again.
        if (thread is { } id && await ListMessages.ReadAsync(id, reader.Subject, int.MaxValue, 1, database, cancellationToken) is null)
            return Problem.NotFound("session_not_found", "There is no such thread.");

        var quoted = string.IsNullOrWhiteSpace(input.QuotedText) ? null : input.QuotedText.Trim();
        var opened = await opener.AskAsync(new(input.Text, quoted, PageUrl: null), thread, key, reader, context, cancellationToken);
        if (opened.Refusal is { } refusal)
            return Refused(refusal);

        var now = time.GetUtcNow().UtcDateTime;
        var session = opened.SessionId;
        var question = new ChatKitUserMessage(ChatKitIds.OfItem(opened.TurnId, ChatKitIds.Question), ChatKitIds.OfThread(session), now, input.Text, quoted);
        object asked = new { Type = "thread.item.done", Item = (ChatKitItem)question };
        return events.Stream(
            opened.TurnId, session,
            thread is null ? [new { Type = "thread.created", Thread = ChatKitThread.From(SessionResponse.From(new(session, null, input.Text, now, now))) }, asked] : [asked],
            cancellationToken);
    }

    /// <summary>Asks the question of an item again. If that is happening already, the stream is of the turn that runs.</summary>
    public async Task<Results<ChatKitReply, ServerSentEvents, ProblemHttpResult>> RetryAsync(
        ChatKitParams parameters, CurrentReader reader, HttpContext context, CancellationToken cancellationToken)
    {
        var thread = ChatKitIds.ThreadOf(parameters.ThreadId);
        var turnId = ChatKitIds.TurnOf(parameters.ItemId, ChatKitIds.Question);
        while (true)
        {
            var found = await GetTurn.HandleAsync($"{turnId}", reader, database, leases, cancellationToken);
            if (found.Result is not Ok<TurnResponse> { Value: { } turn } || turn.SessionId != thread)
                return Problem.NotFound("turn_not_found", "There is no such item.");
            if (turn.State == "running")
                return events.Stream(turn.TurnId, turn.SessionId, [], cancellationToken);
            if (turn.SupersededBy is { } later)
            {
                turnId = later;
                continue;
            }

            var opened = await RegenerateTurn.OpenAsync(turn.TurnId, idempotencyKey: null, reader, context, database, opener, cancellationToken);
            return opened.Refusal is { } refusal ? Refused(refusal) : events.Stream(opened.TurnId, opened.SessionId, [], cancellationToken);
        }
    }

    /// <summary>ChatKit shows the message of an error event, and not that of a status. An unknown thread has no place for one.</summary>
    private static Results<ChatKitReply, ServerSentEvents, ProblemHttpResult> Refused(ProblemHttpResult refusal) => refusal.StatusCode == StatusCodes.Status404NotFound
        ? refusal
        : ChatKitEvents.Refuse(refusal.ProblemDetails.Detail!, refusal.StatusCode is StatusCodes.Status429TooManyRequests or StatusCodes.Status409Conflict);
}
