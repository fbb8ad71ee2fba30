using System.Net.Mime;
using System.Reflection;
using System.Text.Json;
using ChatBackend.Features.Chat.Sessions;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Extensions.Options;
using Npgsql;
using JsonOptions = Microsoft.AspNetCore.Http.Json.JsonOptions;

namespace ChatBackend.Features.Chat.ChatKit;

/// <summary>The requests that are answered by JSON: threads, items, feedback.</summary>
internal sealed class ChatKitStore(NpgsqlDataSource database, TurnLeases leases, IValidator<SessionPatch> titles, IOptions<JsonOptions> json)
{
    private const int DefaultSize = 20;

    public async Task<Results<ChatKitReply, ServerSentEvents, ProblemHttpResult>> GetAsync(ChatKitParams parameters, CurrentReader reader, CancellationToken cancellationToken)
    {
        var id = ChatKitIds.ThreadOf(parameters.ThreadId)!.Value;
        var row = await database.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<SessionRow>(new(
                $"""
                select {SessionResponse.Columns} from chat_sessions as s {SessionResponse.FirstQuestion}
                where s.id = @id and (s.user_id is null or s.user_id = @Subject)
                """,
                new { id, reader.Subject }, cancellationToken: cancellationToken)),
            cancellationToken);
        return row is not null && await ItemsAsync(id, parameters with { Order = "asc" }, reader, cancellationToken) is { } items
            ? new ChatKitReply(ChatKitThread.From(SessionResponse.From(row), items))
            : NotFound();
    }

    /// <summary>Conversations without a token belong to nobody, and are in no list.</summary>
    public async Task<Results<ChatKitReply, ServerSentEvents, ProblemHttpResult>> ListAsync(ChatKitParams parameters, CurrentReader reader, CancellationToken cancellationToken)
    {
        var page = (await ListSessions.HandleAsync(new() { Cursor = parameters.After, Limit = $"{parameters.Limit ?? DefaultSize}" }, reader, database, cancellationToken)).Value!;
        return new ChatKitReply(new ChatKitPage<ChatKitThread>([.. page.Items.Select(session => ChatKitThread.From(session))], page.NextCursor is not null, page.NextCursor));
    }

    public async Task<Results<ChatKitReply, ServerSentEvents, ProblemHttpResult>> RenameAsync(ChatKitParams parameters, CurrentReader reader, CancellationToken cancellationToken)
    {
        if (reader.Subject is null)
            return Problem.Of(StatusCodes.Status401Unauthorized, "token_required", "A thread that belongs to nobody cannot be renamed: send a token.");
        var patch = JsonSerializer.SerializeToElement(new { title = parameters.Title });
        var renamed = await PatchSession.HandleAsync(IdOf(parameters), patch, reader, database, titles, json, cancellationToken);
        return renamed.Result is Ok<SessionResponse> { Value: { } session } ? new ChatKitReply(ChatKitThread.From(session)) : (ProblemHttpResult)renamed.Result;
    }

    public async Task<Results<ChatKitReply, ServerSentEvents, ProblemHttpResult>> DeleteAsync(ChatKitParams parameters, CurrentReader reader, CancellationToken cancellationToken) =>
        (await DeleteSession.HandleAsync(IdOf(parameters), reader, database, cancellationToken)).Result is ProblemHttpResult problem ? problem : new ChatKitReply(new { });

    public async Task<Results<ChatKitReply, ServerSentEvents, ProblemHttpResult>> ListItemsAsync(ChatKitParams parameters, CurrentReader reader, CancellationToken cancellationToken) =>
        await ItemsAsync(ChatKitIds.ThreadOf(parameters.ThreadId)!.Value, parameters, reader, cancellationToken) is { } items ? new ChatKitReply(items) : NotFound();

    public async Task<Results<ChatKitReply, ServerSentEvents, ProblemHttpResult>> RateAsync(ChatKitParams parameters, CurrentReader reader, CancellationToken cancellationToken)
    {
        var rating = new FeedbackRequest(parameters.Kind == "positive" ? "up" : "down");
        foreach (var item in parameters.ItemIds!)
        {
            var turn = await GetTurn.HandleAsync($"{ChatKitIds.TurnOf(item, ChatKitIds.Answer)}", reader, database, leases, cancellationToken);
            if (turn.Result is not Ok<TurnResponse> { Value: { Response.MessageId: var answer } value } || ChatKitIds.OfThread(value.SessionId) != parameters.ThreadId)
                return Problem.NotFound("message_not_found", "There is no such answer.");
            if ((await PutFeedback.HandleAsync($"{answer}", rating, reader, database, cancellationToken)).Result is ProblemHttpResult problem)
                return problem;
        }

        return new ChatKitReply(new { });
    }

    private async Task<ChatKitPage<ChatKitItem>?> ItemsAsync(Guid sessionId, ChatKitParams parameters, CurrentReader reader, CancellationToken cancellationToken)
    {
        var isForward = parameters.Order == "asc";
        var from = parameters.After is { } after ? int.Parse(after) : isForward ? 0 : int.MaxValue;
        var page = await ListMessages.ReadAsync(sessionId, reader.Subject, from, parameters.Limit ?? DefaultSize, database, cancellationToken, isForward);
        if (page is null)
            return null;
        var items = page.Items.Select(message => ChatKitItem.From(message, sessionId));
        return new([.. isForward ? items : items.Reverse()], page.NextCursor is not null, page.NextCursor);
    }

    private static string IdOf(ChatKitParams parameters) => $"{ChatKitIds.ThreadOf(parameters.ThreadId)}";

    private static ProblemHttpResult NotFound() => Problem.NotFound("session_not_found", "There is no such thread.");
}

/// <summary>JSON as ChatKit reads it, without nulls.</summary>
internal sealed class ChatKitReply(object body) : IResult, IEndpointMetadataProvider
{
    public Task ExecuteAsync(HttpContext context) => context.Response.WriteAsJsonAsync(body, ChatKitEvents.Json, context.RequestAborted);

    static void IEndpointMetadataProvider.PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new AnswerContent(
            MediaTypeNames.Application.Json, "A thread, a page of threads or of items, or an empty object.",
            """{"id":"thr_0f8fad5b-d9cb-469f-a165-70867728950e","title":"Topics","created_at":"2026-03-01T09:30:00Z","status":{"type":"active"},"items":{"data":[],"has_more":false}}"""));
}
