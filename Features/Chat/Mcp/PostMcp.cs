using System.Text.Json;
using System.Text.Json.Nodes;
using ChatBackend.Features.Chat.Stopping;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Limits;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using Npgsql;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>Model Context Protocol over Streamable HTTP, without state. GET and DELETE are 405: there is no stream without a request, and no session to end.</summary>
internal static class PostMcp
{
    /// <summary>How problems are written that are found before a message is understood.</summary>
    public static readonly ProblemShape Shape = new("/mcp", "application/json", problem => TurnJson.Write(new
    {
        Jsonrpc = "2.0",
        Id = default(string),
        Error = new
        {
            Code = (string?)problem.Extensions["code"] switch { "malformed_json" => -32700, "invalid_request" => -32600, _ => -32000 },
            Message = problem.Detail,
            Data = problem.Extensions,
        },
    }));

    public static void MapPostMcp(this IEndpointRouteBuilder mcp) => mcp
        .MapPost("", HandleAsync)
        .WithName(nameof(PostMcp))
        .WithMetadata(new AnswerContent(
            ServerSentEvents.MediaType, "Events (WHATWG HTML, 9.2), the data of each one message: progress, then the response.",
            "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"Two nodes talk over a topic.\"}]}}\n\n"))
        .Validate<McpMessage>()
        .FailsWith(StatusCodes.Status403Forbidden, "origin_not_allowed")
        .FailsWhenLimited();

    /// <summary>Model Context Protocol: search the book, ask it, read its pages.</summary>
    /// <remarks>
    /// Streamable HTTP, for any MCP client: tools `search_book` and `ask_book`, and the pages as resources. A tool's failure (also a limit) is a result
    /// with `isError`; other errors are JSON-RPC errors. An unknown version is status 400. From version 2026-07-28 on an unknown method is 404, and headers that
    /// do not say the same as the message are 400. A client that disconnects while `ask_book` runs, or sends `notifications/cancelled`, stops the model.
    /// </remarks>
    /// <response code="200">The response, as a stream; 202 without a body for a notification.</response>
    /// <response code="400">The message or one of its headers is not valid.</response>
    /// <response code="403">A page of another origin than the allowed ones asks.</response>
    internal static async Task<Results<ServerSentEvents, JsonHttpResult<JsonRpcError>, EmptyHttpResult, ProblemHttpResult>> HandleAsync(
        McpMessage message, [FromHeader(Name = McpHeaders.Session), System.ComponentModel.Description("The id that the response to initialize had. With it a repeated question is answered once, and can be cancelled.")] string? sessionId,
        HttpContext context, CurrentReader reader, BookServer server, NpgsqlDataSource database, TurnRunner runner, CancellationToken cancellationToken)
    {
        if (!await McpHeaders.IsOriginAllowedAsync(context))
            return Problem.Of(StatusCodes.Status403Forbidden, "origin_not_allowed", "This origin may not call the server: FRONTEND_URL names those that may.");
        Guid? session = KeyId.TryParse(sessionId, out var known) ? known : null;
        if (message.Method is not { } method || McpMessage.IdOf(message.Id) is not { } id)
        {
            var cancelled = message.Method == NotificationMethods.CancelledNotification ? McpMessage.IdOf(McpMessage.Member(message.Params, "requestId")) : null;
            if (AskBook.ConversationOf(session, cancelled) is { } conversation)
                await CancelAsync(conversation, reader, database, runner, cancellationToken);
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            return TypedResults.Empty;
        }

        if (McpHeaders.Mismatch(context.Request, message) is { } header)
        {
            var fault = new JsonRpcErrorDetail { Code = (int)McpErrorCode.HeaderMismatch, Message = $"{header} must be the same as in the message." };
            return TypedResults.Json(new JsonRpcError { Id = id, Error = fault }, McpJsonUtilities.DefaultOptions, statusCode: StatusCodes.Status400BadRequest);
        }

        if (method == RequestMethods.Initialize)
            context.Response.Headers[McpHeaders.Session] = $"{Guid.NewGuid()}";
        var request = new JsonRpcRequest { Id = id, Method = method, Params = message.Params.ValueKind is JsonValueKind.Object ? JsonObject.Create(message.Params) : null };
        var exchange = new McpExchange(context, reader, session);
        return await exchange.AnswerAsync(request, server.Options) is { } error ? error : new ServerSentEvents(exchange.EventsAsync()) { IsReconnecting = false };
    }

    /// <summary>The request that is cancelled may run on another replica, and its connection stays open: its turn is found by its conversation.</summary>
    private static async Task CancelAsync(Guid conversation, CurrentReader reader, NpgsqlDataSource database, TurnRunner runner, CancellationToken cancellationToken)
    {
        var running = await database.RetryAsync(
            connection => connection.QueryAsync<Guid>(new(
                "select id from turns where session_id = @conversation and state = 'running'", new { conversation }, cancellationToken: cancellationToken)),
            cancellationToken);
        foreach (var turn in running)
            await StopTurn.RequestAsync(turn, reader.Subject, database, runner, cancellationToken);
    }
}
