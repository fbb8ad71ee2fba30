using System.Text.Json;
using System.Threading.Channels;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>The transport of one request and of the messages that answer it. The server lives as long as the request: nothing is kept between two of them,
/// so each may reach another replica.</summary>
/// <param name="Session">The id that the client got when it began; null if it has none.</param>
internal sealed record McpExchange(HttpContext Context, CurrentReader Reader, Guid? Session) : ITransport
{
    private readonly Channel<JsonRpcMessage> _received = Channel.CreateBounded<JsonRpcMessage>(1);
    private readonly Channel<JsonRpcMessage?> _sent = Channel.CreateUnbounded<JsonRpcMessage?>();
    private Task _answering = Task.CompletedTask;

    string? ITransport.SessionId => null;

    ChannelReader<JsonRpcMessage> ITransport.MessageReader => _received.Reader;

    public static McpExchange Of(MessageContext message) => (McpExchange)message.JsonRpcMessage.Context!.RelatedTransport!;

    /// <summary>Begins to answer the request.</summary>
    /// <returns>The error, where the protocol gives it a status of its own; null if the messages are a stream.</returns>
    public async Task<JsonHttpResult<JsonRpcError>?> AnswerAsync(JsonRpcRequest request, McpServerOptions options)
    {
        _answering = RunAsync(request, options);
        if (!await _sent.Reader.WaitToReadAsync() || !_sent.Reader.TryPeek(out var first) || first is not JsonRpcError error)
            return null;
        int? status = (McpErrorCode)error.Error.Code switch
        {
            McpErrorCode.UnsupportedProtocolVersion or McpErrorCode.HeaderMismatch => StatusCodes.Status400BadRequest,
            McpErrorCode.MethodNotFound when McpHeaders.StandsAlone(Context.Request) => StatusCodes.Status404NotFound,
            _ => null,
        };
        if (status is null)
            return null;
        await _answering;
        return TypedResults.Json(error, McpJsonUtilities.DefaultOptions, statusCode: status);
    }

    /// <summary>What comes next may take long: the stream begins before the first message.</summary>
    public void BeginStream() => _sent.Writer.TryWrite(null);

    public async IAsyncEnumerable<ServerSentEvent> EventsAsync()
    {
        try
        {
            // When the client disconnects, the server ends and completes the channel.
            await foreach (var message in _sent.Reader.ReadAllAsync())
            {
                if (message is not null)
                    yield return new(JsonSerializer.Serialize(message, McpJsonUtilities.DefaultOptions));
            }
        }
        finally
        {
            // A client that left while a message was written: its turn is stopped before the request ends.
            await _answering;
        }
    }

    public Task SendMessageAsync(JsonRpcMessage message, CancellationToken cancellationToken = default) => _sent.Writer.WriteAsync(message, cancellationToken).AsTask();

    public ValueTask DisposeAsync() => default;

    private async Task RunAsync(JsonRpcRequest request, McpServerOptions options)
    {
        try
        {
            request.Context = new() { ProtocolVersion = McpHeaders.VersionOf(Context.Request), RelatedTransport = this };
            await _received.Writer.WriteAsync(request);
            _received.Writer.Complete();
            await using var server = McpServer.Create(this, options, Context.RequestServices.GetRequiredService<ILoggerFactory>(), Context.RequestServices);
            // Ends with the request, as no other one comes.
            await server.RunAsync(Context.RequestAborted);
        }
        catch (Exception e)
        {
            // Thrown to whoever reads the messages.
            _sent.Writer.Complete(e);
        }

        _sent.Writer.TryComplete();
    }
}
