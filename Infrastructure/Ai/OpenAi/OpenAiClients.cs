using System.ClientModel;
using System.ClientModel.Primitives;
using Microsoft.Extensions.Options;
using OpenAI;
using OpenAI.Chat;
using OpenAI.Embeddings;

namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>The official SDK's clients over one connection pool, without the SDK's own retries and timeouts.</summary>
internal sealed class OpenAiClients : IDisposable
{
    /// <summary>The most bytes of one number of an embedding, indented.</summary>
    private const int NumberBytes = 40;

    /// <summary>The dimensions that an answer may have where the setting does not say: 20 MiB for the largest batch.</summary>
    private const int MostDimensions = 4096;

    private readonly HttpClient _http;
    private readonly OpenAIClient _client;

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
        _http = new(new BoundedAnswers(connections, embeddingBytes)) { Timeout = Timeout.InfiniteTimeSpan };

        // Local servers need no key, but the SDK does.
        _client = new(new ApiKeyCredential(options.Value.ApiKey is { Length: > 0 } key ? key : "none"), new OpenAIClientOptions
        {
            Endpoint = options.Value.BaseUrl,
            RetryPolicy = new ClientRetryPolicy(0),
            NetworkTimeout = Timeout.InfiniteTimeSpan,
            Transport = new HttpClientPipelineTransport(_http),
        });
    }

    public ChatClient Chat(string model) => _client.GetChatClient(model);

    public EmbeddingClient Embeddings(string model) => _client.GetEmbeddingClient(model);

    public void Dispose() => _http.Dispose();
}
