using ChatBackend.Features.Ingest.Progress;
using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Tests.Features.Ingest.Progress;

/// <summary>A slow model, on a clock that the test moves.</summary>
public sealed class PassageEmbedderTests
{
    private readonly FakeClock _clock = new();
    private readonly JobProgress _progress = new(IngestReport.Empty);

    [Fact]
    public async Task A_call_has_a_minute_and_the_report_says_that_the_model_is_slow()
    {
        var model = new WaitingEmbedder();
        using var embedder = new PassageEmbedder(model, new(TimeSpan.Zero, _clock, _progress), _progress, _clock);

        var embedding = embedder.EmbedAsync(["text"], CancellationToken.None);
        await Until.TrueAsync(() => model.Sizes.Count == 1 && _clock.IsAwaitedWithin(TimeSpan.FromSeconds(3)), "the model was not asked");
        Assert.Null(_progress.Report.WaitsFor);
        _clock.Advance(TimeSpan.FromSeconds(3));

        await Until.TrueAsync(() => _progress.Report.WaitsFor == "the embedding model, which is slow", "the report does not say it");
        Assert.Equal(TimeSpan.FromMinutes(1), model.Limit);
        model.Answer();
        Assert.Single(await embedding);
        Assert.Null(_progress.Report.WaitsFor);
    }

    [Fact]
    public async Task Batches_shrink_after_a_call_that_was_slow_and_grow_after_quick_ones()
    {
        var model = new WaitingEmbedder();
        using var embedder = new PassageEmbedder(model, new(TimeSpan.Zero, _clock, _progress), _progress, _clock);

        await EmbedAsync(TimeSpan.Zero);
        await EmbedAsync(TimeSpan.FromSeconds(16));
        await EmbedAsync(TimeSpan.FromSeconds(16));
        await EmbedAsync(TimeSpan.FromSeconds(5));
        await EmbedAsync(TimeSpan.Zero);

        // It begins with 16. A call of five seconds changes nothing.
        Assert.Equal([16, 32, 16, 8, 8], model.Sizes);

        async Task EmbedAsync(TimeSpan taken)
        {
            var calls = model.Sizes.Count;
            using var stop = new CancellationTokenSource();
            // The texts of one batch, whatever its size is.
            var embedding = embedder.EmbedAsync([.. Enumerable.Repeat("text", NextSize())], stop.Token);
            await Until.TrueAsync(() => model.Sizes.Count == calls + 1, "the model was not asked");
            _clock.Advance(taken);
            model.Answer();
            await embedding;
        }

        int NextSize() => model.Sizes.Count switch { 0 => 16, 1 => 32, 2 => 16, _ => 8 };
    }

    [Fact]
    public async Task After_a_timeout_the_next_batches_are_smaller()
    {
        var model = new TiringEmbedder();
        using var embedder = new PassageEmbedder(model, new(TimeSpan.Zero, _clock, _progress), _progress, _clock);
        string[] texts = [.. Enumerable.Repeat("text", 16)];

        Assert.All(await embedder.EmbedAsync(texts, CancellationToken.None), result => Assert.Null(result.Refusal));
        var before = model.Sizes.Count;
        await embedder.EmbedAsync(texts, CancellationToken.None);

        Assert.Equal([16, 8], [model.Sizes[0], model.Sizes[before]]);
    }

    /// <summary>Never answers in time for more than four texts.</summary>
    private sealed class TiringEmbedder : IEmbedder
    {
        public string Model => "tiring";

        public List<int> Sizes { get; } = [];

        public Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken) => throw new NotSupportedException();

        public async Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedOnceAsync(IReadOnlyList<string> texts, TimeSpan limit, CancellationToken cancellationToken)
        {
            Sizes.Add(texts.Count);
            await Task.CompletedTask;
            return texts.Count > 4 ? throw new ModelException(ModelFailure.Timeout, "Too slow.") : [.. texts.Select(_ => new ReadOnlyMemory<float>([1]))];
        }
    }

    private sealed class WaitingEmbedder : IEmbedder
    {
        private TaskCompletionSource _answer = new();

        public string Model => "waiting";

        public List<int> Sizes { get; } = [];

        public TimeSpan Limit { get; private set; }

        public void Answer()
        {
            var answered = _answer;
            _answer = new();
            answered.SetResult();
        }

        public Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken) => throw new NotSupportedException();

        public async Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedOnceAsync(IReadOnlyList<string> texts, TimeSpan limit, CancellationToken cancellationToken)
        {
            var answer = _answer.Task;
            Limit = limit;
            Sizes.Add(texts.Count);
            await answer;
            return [.. texts.Select(_ => new ReadOnlyMemory<float>([1]))];
        }
    }
}
