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

        // It begins with 16. Calls of five seconds change nothing.
        await EmbedAsync(texts: 16, calls: 1, TimeSpan.Zero);
        await EmbedAsync(texts: 32, calls: 1, TimeSpan.FromSeconds(16));
        await EmbedAsync(texts: 32, calls: 2, TimeSpan.FromSeconds(5));
        await EmbedAsync(texts: 32, calls: 2, TimeSpan.Zero);
        await EmbedAsync(texts: 64, calls: 2, TimeSpan.Zero);

        Assert.Equal([16, 32, 16, 16, 16, 16, 32, 32], model.Sizes);

        async Task EmbedAsync(int texts, int calls, TimeSpan taken)
        {
            var before = model.Sizes.Count;
            var embedding = embedder.EmbedAsync([.. Enumerable.Repeat("text", texts)], CancellationToken.None);
            await Until.TrueAsync(() => model.Sizes.Count == before + calls, "the model was not asked as often");
            _clock.Advance(taken);
            model.Answer();
            await embedding;
        }
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

    [Fact]
    public async Task A_single_text_gets_up_to_four_minutes()
    {
        var model = new TiringEmbedder { Most = 0 };
        using var embedder = new PassageEmbedder(model, new(TimeSpan.Zero, _clock, _progress), _progress, _clock);

        await Assert.ThrowsAsync<ModelException>(() => embedder.EmbedAsync(["text"], CancellationToken.None));

        Assert.Equal([1, 2, 4], model.Limits.Select(limit => limit.TotalMinutes));
    }

    /// <summary>Never answers in time for more than a few texts.</summary>
    private sealed class TiringEmbedder : IEmbedder
    {
        public int Most { get; init; } = 4;

        public string Model => "tiring";

        public List<int> Sizes { get; } = [];

        public List<TimeSpan> Limits { get; } = [];

        public Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken) => throw new NotSupportedException();

        public async Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedOnceAsync(IReadOnlyList<string> texts, TimeSpan limit, CancellationToken cancellationToken)
        {
            Sizes.Add(texts.Count);
            Limits.Add(limit);
            await Task.CompletedTask;
            return texts.Count > Most ? throw new ModelException(ModelFailure.Timeout, "Too slow.") : [.. texts.Select(_ => new ReadOnlyMemory<float>([1]))];
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
