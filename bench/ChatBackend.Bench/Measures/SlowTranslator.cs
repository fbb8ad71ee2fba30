using System.Text.Json;
using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Ai;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ChatBackend.Bench.Measures;

/// <summary>A chat model on loopback that takes 1 s, and 12 ms for each token that it writes. It "translates" words to letters of Urdu, so that its
/// answers have as many tokens as Urdu has.</summary>
internal sealed partial class SlowTranslator : IAsyncDisposable
{
    public static readonly TimeSpan Start = TimeSpan.FromSeconds(1);
    public static readonly TimeSpan PerToken = TimeSpan.FromMilliseconds(12);

    private const string Letters = "ابپتٹجچحخدڈرزسشصطعغفقکگلمنوہیے";

    private readonly WebApplication _app;
    private int _calls;

    private SlowTranslator(WebApplication app) => _app = app;

    public int Calls => _calls;

    public string Address => $"{_app.Urls.First()}/v1";

    public static async Task<SlowTranslator> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var translator = new SlowTranslator(app);
        app.Urls.Add("http://127.0.0.1:0");
        app.MapPost("/v1/chat/completions", (JsonElement request, HttpResponse response, CancellationToken aborted) => translator.AnswerAsync(request, response, aborted));
        await app.StartAsync();
        return translator;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task AnswerAsync(JsonElement request, HttpResponse response, CancellationToken aborted)
    {
        Interlocked.Increment(ref _calls);
        var segments = JsonElement.Parse(request.GetProperty("messages").EnumerateArray().Last().GetProperty("content").GetString()!).GetProperty("segments");
        var texts = segments.EnumerateArray().Select(segment => new { id = segment.GetProperty("id").GetInt32(), text = Translate(segment.GetProperty("text").GetString()!) }).ToArray();
        var tokens = texts.Sum(text => TokenEstimate.Of($$"""{"id": {{text.id}}, "text": "{{text.text}}"}, """));
        await Task.Delay(Start + (tokens * PerToken), aborted);

        response.ContentType = "text/event-stream";
        await SendAsync(new[] { new { index = 0, delta = new { role = "assistant", content = JsonSerializer.Serialize(new { segments = texts }) }, finish_reason = (string?)null } }, null);
        await SendAsync(new[] { new { index = 0, delta = new { }, finish_reason = "stop" } }, null);
        await SendAsync(Array.Empty<object>(), new { prompt_tokens = 1, completion_tokens = tokens, total_tokens = tokens + 1 });
        await response.WriteAsync("data: [DONE]\n\n", aborted);

        Task SendAsync(object choices, object? usage) => response.WriteAsync(
            $"data: {JsonSerializer.Serialize(new { id = "bench", @object = "chat.completion.chunk", created = 1700000000, model = "bench", choices, usage })}\n\n", aborted);
    }

    /// <summary>Names, which have capitals, and placeholders stay.</summary>
    private static string Translate(string text) => Words().Replace(text, word => string.Concat(word.Value.Select(letter => Letters[letter % Letters.Length])));

    [GeneratedRegex(@"(?<![\p{L}\p{N}<])\p{Ll}+(?![\p{L}\p{N}])", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Words();
}
