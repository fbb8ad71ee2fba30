using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Ai.OpenAi;

namespace ChatBackend.Tests.Infrastructure.Ai.OpenAi;

public sealed class OpenAiEmbedderTests
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Every_text_gets_its_vector_in_order_in_batches(bool sendsBase64)
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.SendsBase64 = sendsBase64;
        using var tested = new ModelUnderTest(stub.BaseUrl, options: o => o.EmbeddingDimensions = 8);
        var texts = Enumerable.Range(0, 300).Select(i => $"text {i}").ToArray();

        var vectors = await tested.Embedder.EmbedAsync(texts, CancellationToken.None);

        Assert.Equal(texts.Select(t => StubOpenAi.VectorOf(t, 8)), vectors.Select(v => v.ToArray()));
        Assert.Equal([96, 96, 96, 12], stub.EmbeddingRequests.Select(r => r.Inputs.Count));
        Assert.All(stub.EmbeddingRequests, r => Assert.Equal(8, r.Body.GetProperty("dimensions").GetInt32()));
    }

    [Fact]
    public async Task Long_texts_go_in_smaller_batches()
    {
        await using var stub = await StubOpenAi.StartAsync();
        using var tested = new ModelUnderTest(stub.BaseUrl, options: o => o.EmbeddingDimensions = 8);

        await tested.Embedder.EmbedAsync([new('a', 60_000), new('b', 60_000), new('c', 30_000), new('d', 150_000), ""], CancellationToken.None);

        Assert.Equal([1, 2, 1, 1], stub.EmbeddingRequests.Select(r => r.Inputs.Count));
    }

    [Fact]
    public async Task Dimensions_are_sent_only_to_models_that_accept_them()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Dimensions = 768;
        using var tested = new ModelUnderTest(stub.BaseUrl, options: o => (o.EmbeddingModel, o.EmbeddingDimensions) = ("nomic-embed-text", 768));

        Assert.Equal(768, Assert.Single(await tested.Embedder.EmbedAsync(["text"], CancellationToken.None)).Length);
        Assert.False(Assert.Single(stub.EmbeddingRequests).Body.TryGetProperty("dimensions", out _));
    }

    [Fact]
    public async Task Dimensions_that_are_not_set_are_learnt_from_the_first_answer()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Dimensions = 768;
        using var tested = new ModelUnderTest(stub.BaseUrl, options: o => o.EmbeddingModel = "nomic-embed-text");
        Assert.Null(tested.Embedder.KnownDimensions);

        await tested.Embedder.EmbedAsync(["text"], CancellationToken.None);

        Assert.Equal(768, tested.Embedder.KnownDimensions);
        stub.Dimensions = 1024;
        await Assert.ThrowsAsync<ModelException>(() => tested.Embedder.EmbedAsync(["text"], CancellationToken.None));
    }

    [Fact]
    public async Task Dimensions_that_are_set_and_wrong_are_named_with_both_numbers()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Dimensions = 768;
        using var tested = new ModelUnderTest(stub.BaseUrl, options: o => (o.EmbeddingModel, o.EmbeddingDimensions) = ("nomic-embed-text", 1536));

        var failure = await Assert.ThrowsAsync<ModelException>(() => tested.Embedder.EmbedAsync(["text"], CancellationToken.None));

        Assert.Equal("nomic-embed-text answered with 768 dimensions instead of 1536: set OPENAI_EMBEDDING_DIMENSIONS to 768, or leave it unset.", failure.Message);
        Assert.True(failure.IsSettings);
    }

    [Theory]
    [InlineData("""{"object":"list","model":"m","data":[],"usage":{"prompt_tokens":1,"total_tokens":1}}""")]
    [InlineData("""{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[1,2,3]}],"usage":{"prompt_tokens":1,"total_tokens":1}}""")]
    [InlineData("""{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[1,2]},{"object":"embedding","index":1,"embedding":[1,2]}],"usage":{"prompt_tokens":1,"total_tokens":1}}""")]
    [InlineData("""{"object":"list","model":"m"}""")]
    [InlineData("<html>")]
    public async Task Vectors_that_are_not_what_was_asked_for_are_a_failure(string answer)
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.AnswerEmbeddings(answer);
        using var tested = new ModelUnderTest(stub.BaseUrl, options: o => o.EmbeddingDimensions = 2);

        var failure = await Assert.ThrowsAsync<ModelException>(() => tested.Embedder.EmbedAsync(["text"], CancellationToken.None));

        Assert.Equal(ModelFailure.Failed, failure.Failure);
        Assert.Single(stub.EmbeddingRequests);
    }

    [Fact]
    public async Task A_failure_is_retried_once()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.FailEmbeddings(503);
        using var tested = new ModelUnderTest(stub.BaseUrl);

        Assert.Single(await tested.Embedder.EmbedAsync(["text"], CancellationToken.None));

        stub.FailEmbeddings(503, times: 2);
        var failure = await Assert.ThrowsAsync<ModelException>(() => tested.Embedder.EmbedAsync(["text"], CancellationToken.None));
        Assert.Equal(ModelFailure.Unavailable, failure.Failure);
        Assert.Equal(4, stub.EmbeddingRequests.Count);
    }

    [Fact]
    public async Task Silence_is_a_timeout_and_a_cancelled_caller_is_not()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.HangEmbeddings(times: 3);
        var (clock, silence) = (new FakeClock(), TimeSpan.FromSeconds(5));
        using var tested = new ModelUnderTest(stub.BaseUrl, limits => limits.Embed = silence, clock: clock);

        var embedding = tested.Embedder.EmbedAsync(["text"], CancellationToken.None);
        await ModelUnderTest.EndSilenceAsync(clock, silence, () => stub.EmbeddingRequests.Count, attempts: 2);

        Assert.Equal(ModelFailure.Timeout, (await Assert.ThrowsAsync<ModelException>(() => embedding)).Failure);
        Assert.Equal(2, stub.EmbeddingRequests.Count);

        using var cancelled = new CancellationTokenSource();
        embedding = tested.Embedder.EmbedAsync(["text"], cancelled.Token);
        await Until.TrueAsync(() => stub.EmbeddingRequests.Count == 3, "the request did not come");
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => embedding);
    }

    [Fact]
    public async Task An_ingest_has_its_own_limit_and_the_readers_circuit_breaker_neither_stops_it_nor_counts_it()
    {
        await using var stub = await StubOpenAi.StartAsync();
        using var tested = new ModelUnderTest(stub.BaseUrl, limits => (limits.Embed, limits.EmbedBudget, limits.BreakerMinimum) = (TimeSpan.FromMilliseconds(1), TimeSpan.FromSeconds(1), 2));

        Assert.Single(await IngestAsync());
        stub.FailEmbeddings(503, times: 5);
        for (var i = 0; i < 5; i++)
            Assert.Equal(ModelFailure.Unavailable, (await Assert.ThrowsAsync<ModelException>(IngestAsync)).Failure);
        Assert.Equal(6, stub.EmbeddingRequests.Count);
        Assert.Single(await IngestAsync());

        // Readers ask in vain until their breaker opens, which is not the ingest's.
        stub.FailEmbeddings(503, times: 1000);
        await Until.TrueAsync(
            async () => (await Assert.ThrowsAsync<ModelException>(() => tested.Embedder.EmbedAsync(["question"], CancellationToken.None))).Message
                == ModelFaults.CircuitOpen(TimeSpan.Zero).Message,
            "the breaker did not open");
        stub.Clear();
        Assert.Single(await IngestAsync());

        Task<IReadOnlyList<ReadOnlyMemory<float>>> IngestAsync() => tested.Embedder.EmbedOnceAsync(["text"], TimeSpan.FromMinutes(5), CancellationToken.None);
    }

    [Fact]
    public async Task An_empty_list_sends_no_request()
    {
        await using var stub = await StubOpenAi.StartAsync();
        using var tested = new ModelUnderTest(stub.BaseUrl);

        Assert.Empty(await tested.Embedder.EmbedAsync([], CancellationToken.None));
        Assert.Empty(stub.EmbeddingRequests);
    }
}
