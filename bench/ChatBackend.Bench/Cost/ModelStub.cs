using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ChatBackend.Bench.Cost;

/// <summary>A chat model on loopback that streams the same answer to everything, in the time that it is told.</summary>
internal sealed class ModelStub : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _calls;

    private ModelStub(WebApplication app) => _app = app;

    /// <summary>From the request to the last piece. Zero sends all of it at once.</summary>
    public TimeSpan Duration { get; set; }

    /// <summary>The pieces of an answer.</summary>
    public int Pieces { get; set; } = 20;

    public int Calls => _calls;

    public string Address => $"{_app.Urls.First()}/v1";

    public static async Task<ModelStub> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var stub = new ModelStub(app);
        app.Urls.Add("http://127.0.0.1:0");
        app.MapPost("/v1/chat/completions", stub.AnswerAsync);
        await app.StartAsync();
        return stub;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(HttpContext context)
    {
        var started = TimeProvider.System.GetTimestamp();
        var (duration, pieces) = (Duration, Pieces);
        Interlocked.Increment(ref _calls);
        await context.Request.Body.CopyToAsync(Stream.Null);
        context.Response.ContentType = "text/event-stream";
        for (var i = 0; i < pieces; i++)
        {
            // By the clock of the whole answer: late timers do not add up.
            if ((duration * (i + 1) / pieces) - TimeProvider.System.GetElapsedTime(started) is var pause && pause > TimeSpan.Zero)
                await Task.Delay(pause, context.RequestAborted);
            await SendAsync(new { content = i == 0 ? "The book says so [1]. " : $"This is piece {i} of the answer. " }, finish: null);
        }

        await SendAsync(new { }, "stop");
        await WriteAsync(Chunk("[]", ""","usage":{"prompt_tokens":900,"completion_tokens":100,"total_tokens":1000}"""));
        await WriteAsync("data: [DONE]\n\n");

        Task SendAsync(object delta, string? finish) =>
            WriteAsync(Chunk(JsonSerializer.Serialize(new[] { new { index = 0, delta, finish_reason = finish } }), ""));

        static string Chunk(string choices, string more) =>
            $$"""data: {"id":"bench","object":"chat.completion.chunk","created":1,"model":"bench","choices":{{choices}}{{more}}}""" + "\n\n";

        async Task WriteAsync(string text) => await context.Response.Body.WriteAsync(Encoding.UTF8.GetBytes(text), context.RequestAborted);
    }
}
