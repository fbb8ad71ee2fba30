using System.ClientModel;
using System.ClientModel.Primitives;
using System.Net.Http.Headers;
using Microsoft.Extensions.Options;
using OpenAI;
using OpenAI.Embeddings;

namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>Sends requests to the model's server over one connection pool: embeddings by the official SDK, without its retries and timeouts, and answers by
/// <see cref="HttpClient"/>.</summary>
internal sealed class OpenAiClients : IDisposable
{
    /// <summary>The most bytes of one number of an embedding, indented.</summary>
    private const int NumberBytes = 40;

    /// <summary>The dimensions that an answer may have where the setting does not say: 20 MiB for the largest batch.</summary>
    private const int MostDimensions = 4096;

    private static readonly MediaTypeHeaderValue Json = new("application/json");

    private readonly HttpClient _http;
    private readonly OpenAIClient _client;
    private readonly Uri _chat;
    private readonly string _authorization;

    public OpenAiClients(IOptions<AiOptions> options, IOptions<ModelLimits> limits)
    {
        var connections = new SocketsHttpHandler
        {
            ConnectTimeout = limits.Value.Connect,
            PooledConnectionLifetime = TimeSpan.FromMinutes(5),
            // A redirect would send the prompt to another server.
            AllowAutoRedirect = false,
            // By default a cancelled response is read, generated and billed for 2 s more.
            ResponseDrainTimeout = TimeSpan.FromMilliseconds(100),
        };
        var embeddingBytes = (options.Value.EmbeddingDimensions ?? MostDimensions) * OpenAiEmbedder.MostTexts * NumberBytes;
        _http = new(new BoundedBodies(connections, embeddingBytes)) { Timeout = Timeout.InfiniteTimeSpan };

        // Local servers need no key, but the SDK does.
        var key = options.Value.ApiKey is { Length: > 0 } given ? given : "none";
        _authorization = $"Bearer {key}";
        var address = new UriBuilder(options.Value.BaseUrl ?? new Uri("https://api.openai.com/v1"));
        address.Path = address.Path.TrimEnd('/') + "/chat/completions";
        _chat = address.Uri;
        _client = new(new ApiKeyCredential(key), new OpenAIClientOptions
        {
            Endpoint = options.Value.BaseUrl,
            RetryPolicy = new ClientRetryPolicy(0),
            NetworkTimeout = Timeout.InfiniteTimeSpan,
            Transport = new HttpClientPipelineTransport(_http),
        });
    }

    /// <summary>Requests a streamed answer, without the SDK: its pipeline took as much time as the request itself.</summary>
    /// <param name="body">A <see cref="ChatRequest"/>.</param>
    /// <returns>The response as soon as its headers are received; with its body if it is an error.</returns>
    public async Task<HttpResponseMessage> AskAsync(byte[] body, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, _chat) { Content = new ByteArrayContent(body) { Headers = { ContentType = Json } } };
        request.Headers.TryAddWithoutValidation("Authorization", _authorization);
        request.Headers.TryAddWithoutValidation("Accept", "application/json, text/event-stream");
        request.Headers.TryAddWithoutValidation("User-Agent", "chatbackend");
        var response = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        // The response refers to its request. Without this the prompt would stay in memory while the answer streams.
        request.Content = null;
        return response;
    }

    public EmbeddingClient Embeddings(string model) => _client.GetEmbeddingClient(model);

    public void Dispose() => _http.Dispose();
}
