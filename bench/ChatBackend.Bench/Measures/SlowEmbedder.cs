using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;

namespace ChatBackend.Bench.Measures;

/// <summary>An embedding model on loopback that takes its time for each call. Its vectors have no meaning.</summary>
internal sealed class SlowEmbedder : IAsyncDisposable
{
    public static readonly TimeSpan Delay = TimeSpan.FromMilliseconds(300);

    private const int Dimensions = 256;

    private readonly WebApplication _app;
    private int _calls;

    private SlowEmbedder(WebApplication app) => _app = app;

    public int Calls => _calls;

    public string Address => $"{_app.Urls.First()}/v1";

    public static async Task<SlowEmbedder> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var embedder = new SlowEmbedder(app);
        app.Urls.Add("http://127.0.0.1:0");
        app.MapPost("/v1/embeddings", (JsonElement request) => embedder.EmbedAsync(request.GetProperty("input")));
        await app.StartAsync();
        return embedder;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private async Task<IResult> EmbedAsync(JsonElement input)
    {
        await Task.Delay(Delay);
        var number = Interlocked.Increment(ref _calls);
        var data = Enumerable.Range(0, input.ValueKind is JsonValueKind.Array ? input.GetArrayLength() : 1).Select(index =>
        {
            var random = new Random((number * 1000) + index);
            var vector = new float[Dimensions];
            for (var i = 0; i < Dimensions; i++)
                vector[i] = random.NextSingle() - 0.5f;
            return new { @object = "embedding", index, embedding = Convert.ToBase64String(System.Runtime.InteropServices.MemoryMarshal.AsBytes<float>(vector)) };
        });
        return Results.Json(new { @object = "list", data, model = "bench", usage = new { prompt_tokens = 1, total_tokens = 1 } });
    }
}
