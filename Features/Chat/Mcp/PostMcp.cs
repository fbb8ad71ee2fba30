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
    public static readonly ProblemShape Shape = new("/mcp", "application/json", problem => new JsonObject
    {
        ["jsonrpc"] = "2.0",
        ["id"] = problem.Extensions.Remove(RequestId, out var id) ? JsonSerializer.SerializeToNode(id, McpJsonUtilities.DefaultOptions) : null,
        ["error"] = new JsonObject
        {
            ["code"] = (string?)problem.Extensions["code"] switch
            {
                "malformed_json" => -32700,
                "invalid_request" => -32600,
                McpHeaders.UnsupportedVersion => -32022,
                McpHeaders.Mismatch => -32020,
                McpHeaders.UnknownMethod => -32601,
                _ => -32000,
            },
            ["message"] = problem.Detail,
            ["data"] = JsonSerializer.SerializeToNode(problem.Extensions),
        },
    }.ToJsonString());

    private const string RequestId = "request_id";

    /// <summary>A problem of a request whose id is known.</summary>
    public static ProblemHttpResult Of(ProblemHttpResult problem, RequestId id)
    {
        problem.ProblemDetails.Extensions[RequestId] = id;
        return problem;
    }

    public static void MapPostMcp(this IEndpointRouteBuilder mcp) => mcp
        .MapPost("", HandleAsync)
        .WithName(nameof(PostMcp))
        .Validate<McpMessage>()
        .FailsWith(StatusCodes.Status400BadRequest, McpHeaders.UnsupportedVersion)
        .FailsWith(StatusCodes.Status400BadRequest, McpHeaders.Mismatch)
        .FailsWith(StatusCodes.Status403Forbidden, McpHeaders.ForeignOrigin)
        .FailsWith(StatusCodes.Status404NotFound, McpHeaders.UnknownMethod)
        .FailsWhenLimited();

    /// <summary>Model Context Protocol: search the book, ask it, read its pages.</summary>
    /// <remarks>
    /// Streamable HTTP, for any MCP client: tools `search_book` and `ask_book`, and the pages as resources. A tool's failure (also a limit) is a result
    /// with `isError`; other errors are JSON-RPC errors. A client that disconnects while `ask_book` runs, or sends `notifications/cancelled`, stops the model.
    /// </remarks>
    /// <response code="200">The response, as a stream; 202 without a body for a notification.</response>
    /// <response code="400">The message or one of its headers is not valid.</response>
    /// <response code="403">A page of another origin than the allowed ones asks.</response>
    /// <response code="404">There is no such method. Before version 2026-07-28 that is a JSON-RPC error with status 200.</response>
    internal static async Task<Results<McpReply, ProblemHttpResult>> HandleAsync(
        McpMessage message, [FromHeader(Name = McpHeaders.Session), System.ComponentModel.Description("The id that the response to initialize had. With it a repeated question is answered once, and can be cancelled.")] string? sessionId,
        HttpContext context, CurrentReader reader, McpServers servers, NpgsqlDataSource database, TurnRunner runner, CancellationToken cancellationToken)
    {
        if (await McpHeaders.FaultAsync(context, message) is { } fault)
            return message.Id.ValueKind is JsonValueKind.Undefined ? fault : Of(fault, IdOf(message.Id));
        Guid? session = KeyId.TryParse(sessionId, out var known) ? known : null;
        if (message is not { Method: { } method, Id.ValueKind: not JsonValueKind.Undefined })
        {
            if (message is { Method: NotificationMethods.CancelledNotification, Params: var cancelled } && session is not null)
                await CancelAsync(session.Value, cancelled, reader, database, runner, cancellationToken);
            return McpReply.None;
        }

        if (method == RequestMethods.Initialize)
            context.Response.Headers[McpHeaders.Session] = $"{Guid.NewGuid()}";
        var request = new JsonRpcRequest
        {
            Id = IdOf(message.Id),
            Method = method,
            Params = message.Params.ValueKind is JsonValueKind.Object ? JsonObject.Create(message.Params) : null,
            Context = new() { ProtocolVersion = McpHeaders.VersionOf(context.Request), User = context.User },
        };
        return new McpReply(request, servers.OptionsFor(context, reader, session));
    }

    /// <summary>The request that is cancelled may run on another replica, and its connection stays open: its turn is found by its conversation.</summary>
    private static async Task CancelAsync(
        Guid session, JsonElement cancelled, CurrentReader reader, NpgsqlDataSource database, TurnRunner runner, CancellationToken cancellationToken)
    {
        var id = McpHeaders.Member(cancelled, "requestId");
        if (id.ValueKind is not JsonValueKind.String && !McpMessageValidator.IsWhole(id))
            return;
        var conversation = McpServers.ConversationOf(session, IdOf(id));
        var running = await database.RetryAsync(
            connection => connection.QueryAsync<Guid>(new(
                "select id from turns where session_id = @conversation and state = 'running'", new { conversation }, cancellationToken: cancellationToken)),
            cancellationToken);
        foreach (var turn in running)
            await StopTurn.RequestAsync(turn, reader.Subject, database, runner, cancellationToken);
    }

    private static RequestId IdOf(JsonElement id) => id.ValueKind is JsonValueKind.String ? new(id.GetString()!) : new(id.GetInt64());
}
