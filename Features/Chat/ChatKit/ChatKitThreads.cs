using System.Text.Json;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Sessions;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using Npgsql;
using JsonOptions = Microsoft.AspNetCore.Http.Json.JsonOptions;

namespace ChatBackend.Features.Chat.ChatKit;

/// <summary>What answers each type of request. Its parameters are valid.</summary>
internal sealed class ChatKitThreads(
    NpgsqlDataSource database, TurnOpener opener, TurnReader turns, TurnLeases leases, IValidator<ChatRequest> questions, IValidator<SessionPatch> titles,
    IOptions<JsonOptions> json, TimeProvider time)
{
    /// <param name="thread">Null for a new one.</param>
    public async Task<Results<JsonHttpResult<object>, ServerSentEvents, ProblemHttpResult>> AskAsync(ChatKitCall call, Guid? thread)
    {
        var input = call.Parameters.Input!;
        var question = Question.Of(input.Text, input.QuotedText, pageUrl: null);
        var faults = await questions.ValidateAsync(new(input.Text, SelectedText: input.QuotedText), call.Cancelled);
        var turn =
            !faults.IsValid ? ValidationFilter.Invalid(faults)
            // A thread that was deleted does not begin again.
            : thread is not null && await FindAsync(call) is null ? NoThread()
            : await opener.AskAsync(question, thread, call.Key, call.Reader, call.Context, call.Cancelled);
        return Follow(turn, call, question, isNew: thread is null);
    }

    /// <summary>Asks the question of an item again. If that is happening already, the stream is of the turn that runs.</summary>
    public async Task<Results<JsonHttpResult<object>, ServerSentEvents, ProblemHttpResult>> RetryAsync(ChatKitCall call)
    {
        var asked = $"{ChatKitItems.Key(call.Parameters.ItemId, ChatKitItems.QuestionId)}";
        var found = await RegenerateTurn.FindAsync(call.Thread, call.Reader.Subject, [asked], questionKey: null, database, call.Cancelled);
        return Follow(found switch
        {
            null => Problem.NotFound("turn_not_found", "There is no such item."),
            { State: "running" } => new OpenedTurn(found.Id, call.Thread),
            _ => await RegenerateTurn.OpenAsync(found.Id, idempotencyKey: null, call.Reader, call.Context, database, opener, call.Cancelled),
        }, call);
    }

    public async Task<Results<JsonHttpResult<object>, ServerSentEvents, ProblemHttpResult>> GetAsync(ChatKitCall call) =>
        await FindAsync(call) is { } session && await ItemsAsync(call, isForward: true) is { } items ? Json(ChatKitItems.Thread(session, items)) : NoThread();

    /// <summary>Conversations without a token belong to nobody, and are in no list.</summary>
    public async Task<Results<JsonHttpResult<object>, ServerSentEvents, ProblemHttpResult>> ListAsync(ChatKitCall call)
    {
        var request = new ListSessionsRequest { Cursor = call.Parameters.After, Limit = $"{call.Parameters.Size}" };
        var page = (await ListSessions.HandleAsync(request, call.Reader, database, call.Cancelled)).Value!;
        return Json(ChatKitItems.Page(page.Items.Select(session => ChatKitItems.Thread(session)), page.NextCursor));
    }

    public async Task<Results<JsonHttpResult<object>, ServerSentEvents, ProblemHttpResult>> RenameAsync(ChatKitCall call)
    {
        if (call.Reader.Subject is null)
            return Problem.Of(StatusCodes.Status401Unauthorized, "token_required", "A thread that belongs to nobody cannot be renamed: send a token.");
        var patch = JsonSerializer.SerializeToElement(new { title = call.Parameters.Title });
        var renamed = await PatchSession.HandleAsync($"{call.Thread}", patch, call.Reader, database, titles, json, call.Cancelled);
        return renamed.Result is Ok<SessionResponse> { Value: { } session } ? Json(ChatKitItems.Thread(session)) : (ProblemHttpResult)renamed.Result;
    }

    public async Task<Results<JsonHttpResult<object>, ServerSentEvents, ProblemHttpResult>> DeleteAsync(ChatKitCall call) =>
        (await DeleteSession.HandleAsync($"{call.Thread}", call.Reader, database, call.Cancelled)).Result is ProblemHttpResult problem ? problem : Json(new { });

    public async Task<Results<JsonHttpResult<object>, ServerSentEvents, ProblemHttpResult>> ListItemsAsync(ChatKitCall call) =>
        await ItemsAsync(call, isForward: call.Parameters.Order == "asc") is { } items ? Json(items) : NoThread();

    public async Task<Results<JsonHttpResult<object>, ServerSentEvents, ProblemHttpResult>> RateAsync(ChatKitCall call)
    {
        var rating = new FeedbackRequest(call.Parameters.Kind == "positive" ? "up" : "down");
        foreach (var item in call.Parameters.ItemIds!)
        {
            var turn = await GetTurn.HandleAsync($"{ChatKitItems.Key(item, ChatKitItems.AnswerId)}", call.Reader, database, leases, call.Cancelled);
            if (turn.Result is not Ok<TurnResponse> { Value: { Response.MessageId: var answer, SessionId: var session } } || session != call.Thread)
                return Problem.NotFound("message_not_found", "There is no such answer.");
            if ((await PutFeedback.HandleAsync($"{answer}", rating, call.Reader, database, call.Cancelled)).Result is ProblemHttpResult problem)
                return problem;
        }

        return Json(new { });
    }

    /// <summary>ChatKit shows the message of an error event, and not that of a status. An unknown thread has no place for one.</summary>
    private Results<JsonHttpResult<object>, ServerSentEvents, ProblemHttpResult> Follow(OpenedTurn turn, ChatKitCall call, Question? asked = null, bool isNew = false) => turn.Refusal switch
    {
        null => ChatKitStream.Of(turn, turns.FollowAsync(turn.TurnId, after: null, call.Cancelled), time.GetUtcNow().UtcDateTime, asked, isNew),
        { StatusCode: StatusCodes.Status404NotFound } missing => missing,
        var refusal => ChatKitStream.Refuse(refusal.ProblemDetails.Detail!, refusal.StatusCode is StatusCodes.Status429TooManyRequests or StatusCodes.Status409Conflict),
    };

    private async Task<SessionResponse?> FindAsync(ChatKitCall call)
    {
        var row = await database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<SessionRow>(new(
                $"""
                select {SessionResponse.Columns} from chat_sessions as s {SessionResponse.FirstQuestion}
                where s.id = @Thread and (s.user_id is null or s.user_id = @Subject)
                """,
                new { call.Thread, call.Reader.Subject }, cancellationToken: call.Cancelled)),
            call.Cancelled);
        return row is null ? null : SessionResponse.From(row);
    }

    private async Task<object?> ItemsAsync(ChatKitCall call, bool isForward)
    {
        var from = call.Parameters.After is { } after ? int.Parse(after) : isForward ? 0 : int.MaxValue;
        var page = await ListMessages.ReadAsync(call.Thread, call.Reader.Subject, from, call.Parameters.Size, database, call.Cancelled, isForward);
        var items = page?.Items.Select(message => ChatKitItems.Of(message, call.Thread));
        return items is null ? null : ChatKitItems.Page(isForward ? items : items.Reverse(), page!.NextCursor);
    }

    private static JsonHttpResult<object> Json(object body) => TypedResults.Json(body, ChatKitItems.Json);

    private static ProblemHttpResult NoThread() => Problem.NotFound("session_not_found", "There is no such thread.");
}
