using System.Reflection;
using System.Text;
using ChatBackend.Infrastructure.Http.OpenApi;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.Metadata;

namespace ChatBackend.Infrastructure.Http;

/// <summary>One event of a stream (WHATWG HTML, 9.2).</summary>
/// <param name="Id">A client that reconnects sends it as <c>Last-Event-ID</c>. Null, like the name, for an event that is nothing but data.</param>
internal sealed record ServerSentEvent(string? Id, string? Name, string Data)
{
    public ServerSentEvent(string data)
        : this(Id: null, Name: null, data)
    {
    }

    private byte[]? _bytes;

    /// <summary>The event as it is sent. It is encoded once, also if many clients get it.</summary>
    public ReadOnlyMemory<byte> Bytes => _bytes ??= Encoding.UTF8.GetBytes(Id is null ? $"data: {Data}\n\n" : $"id: {Id}\nevent: {Name}\ndata: {Data}\n\n");
}

/// <summary>Writes a stream of events, and comments that keep proxies from closing a quiet one.</summary>
internal sealed class ServerSentEvents(IAsyncEnumerable<ServerSentEvent> events) : IResult, IEndpointMetadataProvider
{
    public const string MediaType = "text/event-stream";

    /// <summary>A comment is sent this often: proxies close a stream that is quiet for 30 s or more.</summary>
    private static readonly TimeSpan Quiet = TimeSpan.FromSeconds(15);

    private static readonly byte[] Reconnect = "retry: 1000\n\n"u8.ToArray();

    private static readonly byte[] KeepAlive = ": keep-alive\n\n"u8.ToArray();

    /// <summary>Whether the stream begins with how soon to reconnect. False for protocols whose clients expect nothing but data.</summary>
    public bool IsReconnecting { get; init; } = true;

    /// <summary>True when the client prefers a stream to JSON (RFC 9110, 12.5.1). A tie is JSON.</summary>
    public static bool ArePreferredBy(HttpRequest request)
    {
        var accepted = request.GetTypedHeaders().Accept;
        return Quality("text", MediaType) > Quality("application", "application/json");

        // The most specific range that holds the type decides.
        double Quality(string type, string mediaType) =>
            QualityOf(mediaType) ?? QualityOf($"{type}/*") ?? QualityOf("*/*") ?? 0;

        double? QualityOf(string range) => accepted
            .Where(a => a.MediaType.Equals(range, StringComparison.OrdinalIgnoreCase))
            .Max(a => (double?)(a.Quality ?? 1));
    }

    public async Task ExecuteAsync(HttpContext context)
    {
        var response = context.Response;
        response.ContentType = MediaType;
        response.Headers.CacheControl = "no-cache, no-transform";
        // nginx and similar proxies buffer a response unless told not to.
        response.Headers["X-Accel-Buffering"] = "no";
        // HEAD has no body, and the turn may take a while.
        if (HttpMethods.IsHead(context.Request.Method))
            return;

        context.Features.Get<IHttpResponseBodyFeature>()?.DisableBuffering();

        var gone = context.RequestAborted;
        var time = context.RequestServices.GetRequiredService<TimeProvider>();
        await using var source = events.GetAsyncEnumerator(gone);
        // Begun before the first write: a source that has something to do when the client is gone learns of it.
        var next = source.MoveNextAsync().AsTask();
        using var ended = new CancellationTokenSource();
        try
        {
            // A browser reconnects after one second.
            await PacedText.AddAsync(context, IsReconnecting ? Reconnect : default);
            // One timer for the whole stream: a comment is due every 15 s, and is sent when no event is ready.
            var tick = Task.Delay(Quiet, time, ended.Token);
            while (true)
            {
                if (!next.IsCompleted)
                {
                    // What is ready is sent together; at first that is the headers.
                    await PacedText.FlushAsync(context);
                    if (await Task.WhenAny(next, tick) == tick)
                    {
                        await PacedText.AddAsync(context, KeepAlive);
                        tick = Task.Delay(Quiet, time, ended.Token);
                        continue;
                    }
                }

                // What was added before a failure is sent.
                if (next.IsFaulted)
                    await PacedText.FlushAsync(context);
                if (!await next)
                    break;
                await PacedText.AddAsync(context, source.Current.Bytes);
                next = source.MoveNextAsync().AsTask();
            }

            await PacedText.FlushAsync(context);
        }
        catch (Exception e) when (e is OperationCanceledException or IOException && gone.IsCancellationRequested)
        {
            // The client disconnected or was disconnected; the turn continues. The source may be disposed only after MoveNextAsync has ended.
            await ((Task)next).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
        finally
        {
            await ended.CancelAsync();
        }
    }

    static void IEndpointMetadataProvider.PopulateMetadata(MethodInfo method, EndpointBuilder builder)
    {
        builder.Metadata.Add(new AnswerContent(
            MediaType, "Events (WHATWG HTML, 9.2), the data of each one line of JSON.",
            "id: 1.1.4\nevent: delta\ndata: {\"text\":\"Nodes talk over topics\"}\n\n"));
        if (!builder.Metadata.OfType<IProducesResponseTypeMetadata>().Any(p => p.StatusCode == StatusCodes.Status200OK))
            builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(string), [MediaType]));
    }
}
