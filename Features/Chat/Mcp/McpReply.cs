using System.IO.Pipelines;
using System.Net.ServerSentEvents;
using System.Reflection;
using System.Runtime.CompilerServices;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Http.Metadata;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>Answers one request by the package's transport, as a stream that ends with the response. The server lives as long as the request: nothing
/// is kept between two of them, so each may reach another replica.</summary>
internal sealed class McpReply(JsonRpcRequest? request, McpServerOptions options) : IResult, IEndpointMetadataProvider
{
    /// <summary>A notification has no response.</summary>
    public static readonly McpReply None = new(request: null, new());

    public async Task ExecuteAsync(HttpContext context)
    {
        if (request is null)
        {
            context.Response.StatusCode = StatusCodes.Status202Accepted;
            return;
        }

        var loggers = context.RequestServices.GetRequiredService<ILoggerFactory>();
        await using var transport = new StreamableHttpServerTransport(loggers) { Stateless = true };
        await using var server = McpServer.Create(transport, options, loggers, context.RequestServices);
        var running = server.RunAsync(context.RequestAborted);
        var (pipe, first) = (new Pipe(), new TaskCompletionSource<JsonRpcMessage?>(TaskCreationOptions.RunContinuationsAsynchronously));
        var answering = AnswerAsync(transport, request, pipe.Writer, first, context.RequestAborted);
        try
        {
            // An unknown method is known at once. A tool may take long, and its failure is a result.
            if (McpHeaders.HasStatuses(context.Request) && request.Method != RequestMethods.ToolsCall
                && await first.Task is JsonRpcError { Error: { Code: (int)McpErrorCode.MethodNotFound, Message: var message } })
                await PostMcp.Of(Problem.NotFound(McpHeaders.UnknownMethod, message), request.Id).ExecuteAsync(context);
            else
                await new ServerSentEvents(EventsAsync(pipe.Reader)) { IsReconnecting = false }.ExecuteAsync(context);
        }
        finally
        {
            await pipe.Reader.CompleteAsync();
            await transport.DisposeAsync();
            await answering;
            await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task AnswerAsync(
        StreamableHttpServerTransport transport, JsonRpcRequest request, PipeWriter body, TaskCompletionSource<JsonRpcMessage?> first, CancellationToken gone)
    {
        Exception? failure = null;
        try
        {
            await transport.HandlePostRequestAsync(request, body.AsStream(), Begin, gone);
        }
        catch (Exception e)
        {
            // Thrown to whoever reads the body.
            failure = e;
        }

        await body.CompleteAsync(failure);
        first.TrySetResult(null);

        ValueTask Begin(JsonRpcMessage? message)
        {
            first.TrySetResult(message);
            return default;
        }
    }

    private static async IAsyncEnumerable<ServerSentEvent> EventsAsync(PipeReader body, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        await foreach (var item in SseParser.Create(body.AsStream()).EnumerateAsync(cancellationToken))
            yield return new(item.Data);
    }

    static void IEndpointMetadataProvider.PopulateMetadata(MethodInfo method, EndpointBuilder builder)
    {
        builder.Metadata.Add(new AnswerContent(
            ServerSentEvents.MediaType, "Events (WHATWG HTML, 9.2), the data of each one message: progress, then the response.",
            "data: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"Two nodes talk over a topic.\"}]}}\n\n"));
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(string), [ServerSentEvents.MediaType]));
    }
}
