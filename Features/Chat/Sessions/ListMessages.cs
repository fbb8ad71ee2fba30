using System.ComponentModel.DataAnnotations;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Chat.Sessions;

/// <summary>A message of a conversation.</summary>
/// <param name="Position">Its place, from 1. There are gaps only where a question was asked again: the answers that were replaced are left out.</param>
/// <param name="Role">user, assistant, or system: a note in place of a failed answer.</param>
/// <param name="Content">Its text, in Markdown.</param>
/// <param name="SelectedText">The text of the page that a question is about; null for none.</param>
/// <param name="IsStopped">True for an answer that the reader stopped: the text is what was written until then, and may be empty.</param>
/// <param name="IsIncomplete">True for an answer that stops before its end, because the model was interrupted or its reader stopped it.</param>
/// <param name="Citations">The passages that an answer cites, as they were shown.</param>
/// <param name="Grounding">How well the book supports an answer; null for a question, a note and an answer that was stopped.</param>
/// <param name="Rating">The reader's feedback on an answer: up, down, or null.</param>
/// <example>{"position":42,"role":"assistant","content":"Over a topic: one node publishes messages, the other subscribes to them [1].","selected_text":null,"is_stopped":false,"is_incomplete":false,"grounding":"grounded","rating":null}</example>
internal sealed record MessageResponse(
    Guid MessageId, Guid TurnId, int Position, [property: AllowedValues("user", "assistant", "system")] string Role, string Content,
    string? SelectedText, bool IsStopped, bool IsIncomplete, IReadOnlyList<Citation> Citations, Grounding? Grounding, [property: AllowedValues("up", "down")] string? Rating, DateTime CreatedAt);

/// <summary>A page of a conversation.</summary>
/// <param name="Items">Messages in the order of the conversation; the first page holds the newest.</param>
/// <param name="NextCursor">Send it as <c>cursor</c> to get the messages before these; null when there are none.</param>
/// <example>{"next_cursor":"42"}</example>
internal sealed record MessagesResponse(IReadOnlyList<MessageResponse> Items, string? NextCursor);

internal static class ListMessages
{
    private const int MaxLimit = 100;

    public static void MapListMessages(this IEndpointRouteBuilder chat) => chat
        .MapGet("/sessions/{id}/messages", HandleAsync)
        .WithName(nameof(ListMessages))
        .FailsWith(StatusCodes.Status400BadRequest, "invalid_request", $"limit must be a whole number from 1 to {MaxLimit}.")
        .FailsWith(StatusCodes.Status404NotFound, "session_not_found");

    /// <summary>The conversation, newest page first.</summary>
    /// <param name="id">The session's id.</param>
    /// <param name="cursor">The next_cursor of the previous page; without it, the newest messages.</param>
    /// <param name="limit">Messages per page, 1 to 100.</param>
    /// <response code="200">A page.</response>
    /// <response code="400">The cursor or the limit is not valid.</response>
    /// <response code="404">There is no such session, or it belongs to another reader.</response>
    internal static async Task<Results<Ok<MessagesResponse>, ProblemHttpResult>> HandleAsync(
        string id, CurrentReader reader, NpgsqlDataSource database, CancellationToken cancellationToken, string? cursor = null,
        [Range(1, MaxLimit)] string limit = "50")
    {
        // A string, so that text gets the same problem as a number out of range.
        if (!int.TryParse(limit, out var size) || size is < 1 or > MaxLimit)
            return Problem.Invalid("limit", $"must be a whole number from 1 to {MaxLimit}.");
        var before = int.MaxValue;
        if (cursor is not null && (!int.TryParse(cursor, out before) || before < 1))
            return Problem.Invalid("cursor", "must be a next_cursor of this conversation.");

        var page = KeyId.TryParse(id, out var sessionId) ? await ReadAsync(sessionId, reader.Subject, before, size, database, cancellationToken) : null;
        return page is null ? Problem.NotFound("session_not_found", "There is no such session.") : TypedResults.Ok(page);
    }

    /// <summary>For every door: a page of a conversation.</summary>
    /// <param name="from">The messages before this position; int.MaxValue for the newest. With <paramref name="isForward"/> those after it; 0 for the oldest.</param>
    /// <returns>In the order of the conversation. Null if there is no such session, or it belongs to another reader.</returns>
    internal static async Task<MessagesResponse?> ReadAsync(
        Guid sessionId, string? subject, int from, int size, NpgsqlDataSource database, CancellationToken cancellationToken, bool isForward = false)
    {
        var (comparison, order) = isForward ? (">", "asc") : ("<", "desc");
        // The left join returns one row for a session without messages, so no row means an unknown session.
        var rows = (await database.RetryAsync(
            connection => connection.QueryAsync<Row>(new(
                $"""
                select m.id, m.turn_id, m.position, m.role::text as role, m.content, m.citations::text as citations, f.rating, m.created_at,
                       m.role = 'assistant' and m.state = 'stopped' as is_stopped, m.role = 'assistant' and m.is_incomplete as is_incomplete,
                       case when m.role = 'assistant' then m.grounding end as grounding, case when m.role = 'user' then m.selected_text end as selected_text
                from chat_sessions as s
                left join lateral (
                    select m.*, t.state, t.grounding, t.request ->> 'selected_text' as selected_text, coalesce((t.response ->> 'incomplete')::boolean, false) as is_incomplete from messages as m
                    join turns as t on t.id = m.turn_id and t.session_id = m.session_id
                    where m.session_id = s.id and m.position {comparison} @from and t.superseded_by is null
                    order by m.position {order}
                    limit @size + 1
                ) as m on true
                left join message_feedback as f on f.message_id = m.id
                where s.id = @sessionId and (s.user_id is null or s.user_id = @subject)
                order by m.position {order}
                """,
                new { sessionId, subject, from, size }, cancellationToken: cancellationToken)),
            cancellationToken)).AsList();
        if (rows.Count == 0)
            return null;

        var page = rows.Where(r => r.Id is not null).Take(size).ToArray();
        var next = rows.Count > size ? page[^1].Position.ToString() : null;
        if (!isForward)
            Array.Reverse(page);
        return new(
            [.. page.Select(r => new MessageResponse(
                r.Id!.Value, r.TurnId!.Value, r.Position!.Value, r.Role!, r.Content!, r.SelectedText, r.IsStopped is true, r.IsIncomplete is true, TurnJson.Read<Citation[]>(r.Citations!), r.Grounding, r.Rating, r.CreatedAt!.Value))],
            next);
    }

    private sealed record Row(
        Guid? Id, Guid? TurnId, int? Position, string? Role, string? Content, string? Citations, string? Rating, DateTime? CreatedAt,
        bool? IsStopped, bool? IsIncomplete, Grounding? Grounding, string? SelectedText);
}
