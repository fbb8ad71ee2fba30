using System.Collections.Concurrent;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChatBackend.Tests.Infrastructure.Ai.OpenAi;

/// <summary>
/// A server that speaks OpenAI's API on 127.0.0.1, and fails as told. Answers and faults are used up in the order in
/// which they were scripted; after them every request gets <see cref="Default"/>. Nothing waits longer than the stub lives.
/// <code>
/// await using var stub = await StubOpenAi.StartAsync();
/// stub.Fail(503).Answer("Nodes talk over topics [1].");
/// … ["OPENAI_BASE_URL"] = stub.BaseUrl …
/// Assert.Equal("user", stub.Requests[1].Messages[^1].Role);
/// </code>
/// </summary>
internal sealed class StubOpenAi : IAsyncDisposable
{
    /// <summary>Part of every error that the stub sends. Our answers and logs must not contain it.</summary>
    public const string UpstreamText = "UPSTREAM-TEXT-THAT-MUST-NOT-LEAK";

    private readonly WebApplication _app;
    private readonly CancellationTokenSource _closing = new();
    private readonly ConcurrentQueue<Func<StubRequest, HttpContext, CancellationToken, Task>> _chat = new();
    private readonly ConcurrentQueue<Func<StubRequest, HttpContext, CancellationToken, Task>> _embeddings = new();
    private readonly Lock _recording = new();
    private readonly List<StubRequest> _requests = [];

    private StubOpenAi(WebApplication app) => _app = app;

    /// <summary>The value for <c>OPENAI_BASE_URL</c>.</summary>
    public string BaseUrl => $"{_app.Urls.First()}/v1";

    /// <summary>What a request gets when nothing is scripted.</summary>
    public Func<StubRequest, string> Default { get; set; } = _ => "The stub's answer.";

    /// <summary>The length of a vector when the request does not say.</summary>
    public int Dimensions { get; set; } = 1536;

    /// <summary>The vector of a text, by its number of dimensions.</summary>
    public Func<string, int, float[]> Vector { get; set; } = VectorOf;

    /// <summary>Awaited before vectors are sent, unless an answer is scripted.</summary>
    public Func<CancellationToken, Task> BeforeVectors { get; set; } = _ => Task.CompletedTask;

    /// <summary>Whether vectors are sent as base64 when requested; some compatible servers always send numbers.</summary>
    public bool SendsBase64 { get; set; } = true;

    /// <summary>Every chat request so far, in the order of arrival.</summary>
    public IReadOnlyList<StubRequest> Requests => Recorded("/chat/completions");

    /// <summary>Every embedding request so far.</summary>
    public IReadOnlyList<StubRequest> EmbeddingRequests => Recorded("/embeddings");

    public static async Task<StubOpenAi> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var stub = new StubOpenAi(app);
        app.MapPost("/v1/chat/completions", context => stub.HandleAsync(context, stub._chat, stub.AnswerByDefaultAsync));
        app.MapPost("/v1/embeddings", context => stub.HandleAsync(context, stub._embeddings, stub.EmbedAsync));
        await app.StartAsync();
        return stub;
    }

    /// <summary>A whole answer, word by word.</summary>
    public StubOpenAi Answer(string text, string finish = "stop", string? model = null) =>
        Stream([.. Chunks(text), Finish(finish), UsageChunk, "[DONE]"], model);

    /// <summary>An answer whose second part waits for <see cref="StubGate.Open"/>.</summary>
    public StubGate AnswerInTwo(string first, string second)
    {
        var gate = new StubGate();
        Chat(async (request, context, aborted) =>
        {
            Begin(context);
            foreach (var data in Chunks(first))
                await SendAsync(request, context, data, model: null, aborted);
            gate.Reached();
            if (!await gate.Opened.WaitAsync(aborted))
            {
                context.Abort();
                return;
            }

            foreach (var data in (string[])[.. Chunks(second), Finish("stop"), UsageChunk, "[DONE]"])
                await SendAsync(request, context, data, model: null, aborted);
        });
        return gate;
    }

    /// <summary>A refusal: no content.</summary>
    public StubOpenAi Refuse() => Stream(["""{"role":"assistant","content":null,"refusal":""}""", """{"refusal":"I will not."}""", Finish("stop"), UsageChunk, "[DONE]"]);

    /// <summary>An error instead of an answer.</summary>
    public StubOpenAi Fail(int status, string? code = null, int times = 1, string? message = null, params (string Name, string Value)[] headers)
    {
        for (var i = 0; i < times; i++)
            Chat((_, context, _) => FailAsync(context, status, code, message, headers));
        return this;
    }

    /// <summary>Silence before the first byte.</summary>
    public StubOpenAi Hang(int times = 1)
    {
        for (var i = 0; i < times; i++)
            Chat((_, _, aborted) => Task.Delay(Timeout.Infinite, aborted));
        return this;
    }

    /// <summary>Text, then a graceful end without a finish reason.</summary>
    public StubOpenAi TruncateAfter(string text, int times = 1)
    {
        for (var i = 0; i < times; i++)
            Stream([.. Chunks(text)]);
        return this;
    }

    /// <summary>Text, then silence.</summary>
    public StubOpenAi StallAfter(string text) => Chat(async (request, context, aborted) =>
    {
        await SendAllAsync(request, context, Chunks(text), aborted);
        await Task.Delay(Timeout.Infinite, aborted);
    });

    /// <summary>Text, then a torn connection; without text it is torn before the headers.</summary>
    public StubOpenAi ResetAfter(string text, int times = 1)
    {
        for (var i = 0; i < times; i++)
            Chat(async (request, context, aborted) =>
            {
                if (text.Length == 0)
                {
                    context.Abort();
                    return;
                }

                await SendAllAsync(request, context, Chunks(text), aborted);
                BreakOff();
            });
        return this;
    }

    /// <summary>Text, then an error object in the stream, which then ends.</summary>
    public StubOpenAi ErrorAfter(string text, string code = "server_error", int times = 1)
    {
        for (var i = 0; i < times; i++)
            Stream([.. text.Length == 0 ? [] : Chunks(text), $$$"""!{"error":{"message":"{{{UpstreamText}}}","type":"{{{code}}}","code":"{{{code}}}"}}"""]);
        return this;
    }

    /// <summary>Events with these data: a delta's JSON, with a leading <c>!</c> the whole event's data as it stands; or one
    /// of the words <c>finish stop</c>, <c>usage</c>, <c>[DONE]</c>, <c>hang</c>, <c>break</c>.</summary>
    public StubOpenAi Stream(string[] events, string? model = null) => Chat(async (request, context, aborted) =>
    {
        Begin(context);
        foreach (var data in events)
            await SendAsync(request, context, data, model, aborted);
    });

    /// <summary>Exactly these bytes with status 200, in one piece or one by one.</summary>
    public StubOpenAi Bytes(ReadOnlyMemory<byte> body, string contentType = "text/event-stream", bool oneByOne = false) => Chat(async (_, context, aborted) =>
    {
        context.Response.ContentType = contentType;
        if (!oneByOne)
        {
            await context.Response.Body.WriteAsync(body, aborted);
            return;
        }

        for (var i = 0; i < body.Length; i++)
        {
            await context.Response.Body.WriteAsync(body.Slice(i, 1), aborted);
            await context.Response.Body.FlushAsync(aborted);
        }
    });

    /// <summary>Repeats the same bytes until the count is reached or the client disconnects, and then sends nothing.</summary>
    public StubOpenAi Flood(string piece, int times, string head = "", int status = 200) => Chat(async (_, context, aborted) =>
    {
        Begin(context);
        context.Response.StatusCode = status;
        await context.Response.WriteAsync(head, aborted);
        var bytes = Encoding.UTF8.GetBytes(piece);
        for (var i = 0; i < times; i++)
            await context.Response.Body.WriteAsync(bytes, aborted);
        await Task.Delay(Timeout.Infinite, aborted);
    });

    /// <summary>One event of a stream with this text.</summary>
    public static string TextEvent(string text) => Event("stub-model", JsonSerializer.Serialize(new { content = text }));

    /// <summary>Discards the rest of the script.</summary>
    public void Clear()
    {
        _chat.Clear();
        _embeddings.Clear();
    }

    /// <summary>An error instead of vectors.</summary>
    public StubOpenAi FailEmbeddings(int status, string? code = null, int times = 1, params (string Name, string Value)[] headers)
    {
        for (var i = 0; i < times; i++)
            _embeddings.Enqueue((_, context, _) => FailAsync(context, status, code, null, headers));
        return this;
    }

    /// <summary>Silence instead of vectors.</summary>
    public StubOpenAi HangEmbeddings(int times = 1)
    {
        for (var i = 0; i < times; i++)
            _embeddings.Enqueue((_, _, aborted) => Task.Delay(Timeout.Infinite, aborted));
        return this;
    }

    /// <summary>Exactly this instead of vectors.</summary>
    public StubOpenAi AnswerEmbeddings(string json)
    {
        _embeddings.Enqueue((_, context, aborted) => WriteJsonAsync(context, json, aborted));
        return this;
    }

    /// <summary>The vector that the stub gives for a text: the same for the same text.</summary>
    public static float[] VectorOf(string text, int dimensions)
    {
        // FNV-1a: string.GetHashCode differs from run to run.
        var seed = text.Aggregate(2166136261u, (hash, character) => (hash ^ character) * 16777619);
        return [.. Enumerable.Range(0, dimensions).Select(i => ((((seed + (uint)i) * 2654435761u) >> 8) % 2000 / 1000f) - 1)];
    }

    /// <summary>The server-sent events of an answer as bytes, to be cut and twisted.</summary>
    public static byte[] AnswerBytes(string text, string finish = "stop") =>
        Encoding.UTF8.GetBytes(string.Concat(((string[])[.. Chunks(text), Finish(finish), UsageChunk, "[DONE]"]).Select(data => Event("stub-model", data))));

    public async ValueTask DisposeAsync()
    {
        await _closing.CancelAsync();
        await _app.StopAsync(TestContext.Current.CancellationToken);
        await _app.DisposeAsync();
        _closing.Dispose();
    }

    private const string UsageChunk = "usage";

    private static string[] Chunks(string text) =>
    [
        """{"role":"assistant","content":"","refusal":null}""",
        .. text.Split(' ').Select((word, i) => JsonSerializer.Serialize(new { content = i == 0 ? word : $" {word}" })),
    ];

    private static string Finish(string reason) => $"finish {reason}";

    private static string Event(string model, string data)
    {
        var head = $$"""{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1700000000,"model":"{{model}}",""";
        var json = data switch
        {
            "[DONE]" => data,
            UsageChunk => head + """ "choices":[],"usage":{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}}""",
            _ when data.StartsWith("finish ", StringComparison.Ordinal) => $$"""{{head}}"choices":[{"index":0,"delta":{},"finish_reason":"{{data[7..]}}"}]}""",
            _ when data.StartsWith('!') => data[1..],
            _ => $$"""{{head}}"choices":[{"index":0,"delta":{{data}},"finish_reason":null}]}""",
        };

        return $"data: {json}\n\n";
    }

    /// <summary>Kestrel ends the connection without ending the body; a reset could overtake the text that came before it.</summary>
    private static void BreakOff() => throw new IOException("The stub breaks off.");

    private static void Begin(HttpContext context) => context.Response.ContentType = "text/event-stream";

    private static async Task SendAllAsync(StubRequest request, HttpContext context, IEnumerable<string> events, CancellationToken aborted)
    {
        Begin(context);
        foreach (var data in events)
            await SendAsync(request, context, data, model: null, aborted);
    }

    private static async Task SendAsync(StubRequest request, HttpContext context, string data, string? model, CancellationToken aborted)
    {
        if (data == "hang")
            await Task.Delay(Timeout.Infinite, aborted);
        if (data == "break")
            BreakOff();

        await context.Response.WriteAsync(Event(model ?? request.Model, data), aborted);
        await context.Response.Body.FlushAsync(aborted);
    }

    private static Task FailAsync(HttpContext context, int status, string? code, string? message, (string Name, string Value)[] headers)
    {
        context.Response.StatusCode = status;
        foreach (var (name, value) in headers)
            context.Response.Headers[name] = value;
        return WriteJsonAsync(context, JsonSerializer.Serialize(new { error = new { message = $"{UpstreamText} {message}", type = code ?? "some_error", param = (string?)null, code } }), default);
    }

    private static async Task WriteJsonAsync(HttpContext context, string json, CancellationToken aborted)
    {
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(json, aborted);
    }

    private StubOpenAi Chat(Func<StubRequest, HttpContext, CancellationToken, Task> step)
    {
        _chat.Enqueue(step);
        return this;
    }

    private List<StubRequest> Recorded(string path)
    {
        lock (_recording)
            return [.. _requests.Where(r => r.Path.EndsWith(path, StringComparison.Ordinal))];
    }

    private async Task HandleAsync(
        HttpContext context, ConcurrentQueue<Func<StubRequest, HttpContext, CancellationToken, Task>> script, Func<StubRequest, HttpContext, CancellationToken, Task> otherwise)
    {
        using var aborted = CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, _closing.Token);
        using var body = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: aborted.Token);
        var request = new StubRequest(context.Request.Path, body.RootElement.Clone(), context.Request.Headers.Authorization.ToString());
        lock (_recording)
            _requests.Add(request);

        try
        {
            await (script.TryDequeue(out var step) ? step : otherwise)(request, context, aborted.Token);
        }
        catch (OperationCanceledException)
        {
            request.Abort();
        }
        finally
        {
            if (context.RequestAborted.IsCancellationRequested)
                request.Abort();
        }
    }

    private async Task AnswerByDefaultAsync(StubRequest request, HttpContext context, CancellationToken aborted)
    {
        var text = Default(request);
        if (request.IsStream)
        {
            await SendAllAsync(request, context, [.. Chunks(text), Finish("stop"), UsageChunk, "[DONE]"], aborted);
            return;
        }

        await WriteJsonAsync(context, JsonSerializer.Serialize(new
        {
            id = "chatcmpl-1",
            @object = "chat.completion",
            created = 1700000000,
            model = request.Model,
            choices = new[] { new { index = 0, message = new { role = "assistant", content = text }, finish_reason = "stop" } },
            usage = new { prompt_tokens = 11, completion_tokens = 7, total_tokens = 18 },
        }), aborted);
    }

    private async Task EmbedAsync(StubRequest request, HttpContext context, CancellationToken aborted)
    {
        await BeforeVectors(aborted);
        var dimensions = request.Body.TryGetProperty("dimensions", out var asked) ? asked.GetInt32() : Dimensions;
        var isBase64 = SendsBase64 && request.Body.TryGetProperty("encoding_format", out var format) && format.GetString() == "base64";
        await WriteJsonAsync(context, JsonSerializer.Serialize(new
        {
            @object = "list",
            model = request.Model,
            data = request.Inputs.Select((text, index) => new { @object = "embedding", index, embedding = Encode(Vector(text, dimensions)) }),
            usage = new { prompt_tokens = 5, total_tokens = 5 },
        }), aborted);

        object Encode(float[] vector) => isBase64 ? Convert.ToBase64String(MemoryMarshal.AsBytes(vector.AsSpan())) : vector;
    }
}

/// <summary>One request that the stub received.</summary>
internal sealed class StubRequest(string path, JsonElement body, string authorization)
{
    private readonly TaskCompletionSource _aborted = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public string Path { get; } = path;

    /// <summary>The whole body.</summary>
    public JsonElement Body { get; } = body;

    /// <summary>The Authorization header.</summary>
    public string Authorization { get; } = authorization;

    public string Model => Body.GetProperty("model").GetString()!;

    public bool IsStream => Body.TryGetProperty("stream", out var stream) && stream.GetBoolean();

    /// <summary>The prompt, oldest first.</summary>
    public IReadOnlyList<(string Role, string Content)> Messages =>
        [.. Body.GetProperty("messages").EnumerateArray().Select(m => (m.GetProperty("role").GetString()!, Text(m.GetProperty("content"))))];

    /// <summary>The texts to embed.</summary>
    public IReadOnlyList<string> Inputs => [.. Body.GetProperty("input").EnumerateArray().Select(i => i.GetString()!)];

    /// <summary>Completes when the client cancels the request before the answer is complete.</summary>
    public Task Aborted => _aborted.Task;

    public void Abort() => _aborted.TrySetResult();

    private static string Text(JsonElement content) => content.ValueKind == JsonValueKind.Array
        ? string.Concat(content.EnumerateArray().Select(part => part.GetProperty("text").GetString()))
        : content.GetString() ?? "";
}

/// <summary>Holds back the second half of an answer until a test releases it.</summary>
internal sealed class StubGate
{
    private readonly TaskCompletionSource _reached = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource<bool> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);

    /// <summary>Completes when the first part has been sent.</summary>
    public Task WhenReached => _reached.Task;

    internal Task<bool> Opened => _opened.Task;

    /// <summary>Sends the second part.</summary>
    public void Open() => _opened.TrySetResult(true);

    /// <summary>Resets the connection instead.</summary>
    public void Reset() => _opened.TrySetResult(false);

    internal void Reached() => _reached.TrySetResult();
}
