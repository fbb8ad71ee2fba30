using System.Collections.Concurrent;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Ai.OpenAi;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChatBackend.Tests.Infrastructure.Ai;

/// <summary>The real model and embedder over a stub server, with waits between attempts of a few milliseconds.</summary>
internal sealed class ModelUnderTest : IDisposable
{
    public const string Key = "sk-secret-of-the-test";

    private readonly OpenAiClients _clients;

    public ModelUnderTest(string baseUrl, Action<ModelLimits>? limits = null, Action<AiOptions>? options = null, TimeProvider? clock = null)
    {
        var time = clock ?? TimeProvider.System;
        var ai = new AiOptions { BaseUrl = new(baseUrl), ApiKey = Key, TimeoutSeconds = 30 };
        options?.Invoke(ai);
        var times = new ModelLimits { RetryMin = TimeSpan.FromMilliseconds(1), RetryMax = TimeSpan.FromMilliseconds(5), BreakerMinimum = 1000 };
        limits?.Invoke(times);
        var wrapped = Options.Create(times);
        _clients = new(Options.Create(ai), wrapped);
        var attempts = new ModelAttempts(wrapped, time);
        Model = new(_clients, attempts, Options.Create(ai), wrapped, time, new ListLogger<OpenAiChatModel>(Log));
        Embedder = new(_clients, attempts, Options.Create(ai), wrapped, time, new ListLogger<OpenAiEmbedder>(Log));
    }

    public ConcurrentQueue<string> Log { get; } = new();

    public OpenAiChatModel Model { get; }

    public OpenAiEmbedder Embedder { get; }

    public static ModelRequest Ask(string question) => new([new(ModelRole.System, "Be brief."), new(ModelRole.User, question)]);

    /// <summary>The text that was returned, and how it ended.</summary>
    public async Task<(string Text, ModelPiece? End, ModelException? Failure)> RunAsync(ModelRequest? request = null, CancellationToken cancellationToken = default)
    {
        var text = "";
        ModelPiece? end = null;
        try
        {
            await foreach (var piece in Model.StreamAsync(request ?? Ask("What is a node?"), cancellationToken))
            {
                text += piece.Text;
                end = piece.Finish is null ? end : piece;
            }

            return (text, end, null);
        }
        catch (ModelException e)
        {
            return (text, end, e);
        }
    }

    public void Dispose() => _clients.Dispose();

    private sealed class ListLogger<T>(ConcurrentQueue<string> lines) : ILogger<T>
    {
        public IDisposable? BeginScope<TState>(TState state)
            where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => true;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
            lines.Enqueue($"{logLevel}: {formatter(state, exception)} {exception}");
    }
}
