using System.Reflection;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;
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
        var response = context.Response;
        if (request is null)
        {
            response.StatusCode = StatusCodes.Status202Accepted;
            return;
        }

        response.ContentType = ServerSentEvents.MediaType;
        response.Headers.CacheControl = "no-cache, no-transform";
        response.Headers["X-Accel-Buffering"] = "no";
        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();

        var loggers = context.RequestServices.GetRequiredService<ILoggerFactory>();
        var gone = context.RequestAborted;
        await using var transport = new StreamableHttpServerTransport(loggers) { Stateless = true };
        await using var server = McpServer.Create(transport, options, loggers, context.RequestServices);
        var running = server.RunAsync(gone);
        try
        {
            await transport.HandlePostRequestAsync(request, response.Body, gone);
        }
        catch (OperationCanceledException) when (gone.IsCancellationRequested)
        {
            // The client disconnected. The tool call is cancelled with it.
        }
        finally
        {
            await transport.DisposeAsync();
            await running.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    static void IEndpointMetadataProvider.PopulateMetadata(MethodInfo method, EndpointBuilder builder)
    {
        builder.Metadata.Add(new AnswerStream(
            ServerSentEvents.MediaType, "Events (WHATWG HTML, 9.2), the data of each one message: progress, then the response.",
            "event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"content\":[{\"type\":\"text\",\"text\":\"Two nodes talk over a topic.\"}]}}\n\n"));
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(string), [ServerSentEvents.MediaType]));
    }
}
