using System.Collections.Concurrent;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Ai.OpenAi;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace ChatBackend.Tests.Infrastructure.Ai;

/// <summary>The real model and embedder over a stub server, with waits between attempts of a few milliseconds. A test sets the time limit that it is
/// about; the others are long, because a busy machine may take its time.</summary>
internal sealed class ModelUnderTest : IDisposable
{
    public const string Key = "sk-secret-of-the-test";

    private static readonly TimeSpan RetryMin = TimeSpan.FromMilliseconds(1);
    private static readonly TimeSpan RetryMax = TimeSpan.FromMilliseconds(5);

    private readonly OpenAiClients _clients;

    public ModelUnderTest(string baseUrl, Action<ModelLimits>? limits = null, Action<AiOptions>? options = null, TimeProvider? clock = null)
    {
        var time = clock ?? TimeProvider.System;
        var ai = new AiOptions { BaseUrl = new(baseUrl), ApiKey = Key, TimeoutSeconds = 300 };
        options?.Invoke(ai);
        var busy = TimeSpan.FromMinutes(5);
        var times = new ModelLimits
        {
            RetryMin = RetryMin,
            RetryMax = RetryMax,
            BreakerMinimum = 1000,
            Connect = busy,
            FirstPiece = busy,
            Gap = busy,
            Embed = busy,
            EmbedBudget = busy,
        };
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

    /// <summary>Lets the clock pass the silence of each attempt, once its request has arrived, and the wait for the next attempt.</summary>
    public static async Task EndSilenceAsync(FakeClock clock, TimeSpan silence, Func<int> requests, int attempts)
    {
        for (var attempt = 1; attempt <= attempts; attempt++)
        {
            await Until.TrueAsync(() => requests() == attempt && clock.IsAwaitedWithin(silence), $"attempt {attempt} was not made");
            clock.Advance(silence);
            if (attempt == attempts)
                return;
            await Until.TrueAsync(() => clock.IsAwaitedWithin(RetryMax), $"attempt {attempt + 1} is not waited for");
            clock.Advance(RetryMax);
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
