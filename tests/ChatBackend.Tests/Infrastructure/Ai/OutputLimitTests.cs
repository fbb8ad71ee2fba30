using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Ai.Offline;
using ChatBackend.Infrastructure.Ai.OpenAi;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;

namespace ChatBackend.Tests.Infrastructure.Ai;

/// <summary>How much is read from a model that sends more than it was asked for.</summary>
public sealed class OutputLimitTests
{
    private const int MiB = 1024 * 1024;

    [Theory]
    [InlineData("x", 616)]
    [InlineData("seven c", 616)]
    [InlineData("🤖🤖🤖", 616)]
    [InlineData("🤖x", 615)]
    public async Task An_answer_that_goes_on_is_cut_between_characters_and_the_request_ended(string piece, int length)
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Flood(StubOpenAi.TextEvent(piece), times: 1_000_000);
        using var tested = new ModelUnderTest(stub.BaseUrl);

        var (text, end, _) = await tested.RunAsync(ModelUnderTest.Ask("Why?") with { MaxOutputTokens = 77 });

        Assert.Equal(ModelFinish.Length, end?.Finish);
        Assert.Equal(length, text.Length);
        Assert.Equal(string.Concat(Enumerable.Repeat(piece, 616))[..length], text);
        await stub.Requests[0].Aborted.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        Assert.Contains(": length", Assert.Single(tested.Log), StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_of_just_so_many_characters_is_whole()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Answer(new string('x', 616));
        using var tested = new ModelUnderTest(stub.BaseUrl);

        Assert.Equal(ModelFinish.Stop, (await tested.RunAsync(ModelUnderTest.Ask("Why?") with { MaxOutputTokens = 77 })).End?.Finish);
    }

    [Theory]
    [InlineData("an event", "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"", "xxxxxxxxxxxxxxxx", 200)]
    [InlineData("an event of many lines", "", "data: {}\r\n", 200)]
    [InlineData("an error", "{\"error\":{\"message\":\"", "xxxx\n\n\n\nxxxxxxxx", 500)]
    public async Task A_piece_that_does_not_end_is_not_kept(string what, string head, string piece, int status)
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Flood(string.Concat(Enumerable.Repeat(piece, MiB / piece.Length)), times: 8, head, status);
        using var tested = new ModelUnderTest(stub.BaseUrl);

        var failure = (await tested.RunAsync().WaitAsync(TimeSpan.FromSeconds(60), TestContext.Current.CancellationToken)).Failure;

        Assert.Equal($"{what}: The model's server sent more than an answer can be.", $"{what}: {failure?.Message}");
        Assert.Equal(ModelFailure.Failed, failure?.Failure);
        Assert.Single(stub.Requests);
        await stub.Requests[0].Aborted.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task An_error_body_that_does_not_end_is_read_no_longer_than_an_answer()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Flood("x", times: 1, status: 500).Flood("x", times: 1, status: 500).Flood("x", times: 1, status: 500);
        var (clock, silence) = (new FakeClock(), TimeSpan.FromSeconds(20));
        using var tested = new ModelUnderTest(stub.BaseUrl, limits => limits.FirstPiece = silence, clock: clock);

        var asking = tested.RunAsync();
        await ModelUnderTest.EndSilenceAsync(clock, silence, () => stub.Requests.Count, attempts: 3);

        Assert.Equal(ModelFailure.Timeout, (await asking).Failure?.Failure);
        Assert.Equal(3, stub.Requests.Count);
    }

    [Fact]
    public async Task A_long_stream_of_short_events_is_read_to_its_end()
    {
        await using var stub = await StubOpenAi.StartAsync();
        // A server that pads its events, or sends reasoning that is not read.
        var padded = $$$"""{"content":"x","reasoning_content":"{{{new string('y', 10_000)}}}"}""";
        stub.Stream([.. Enumerable.Repeat(padded, 600), "finish stop", "usage", "[DONE]"]);
        using var tested = new ModelUnderTest(stub.BaseUrl);

        var (text, end, _) = await tested.RunAsync();

        Assert.Equal((new string('x', 600), ModelFinish.Stop), (text, end?.Finish));
    }

    [Fact]
    public async Task Embeddings_that_do_not_end_are_not_kept_and_a_full_batch_of_them_is()
    {
        await using var stub = await StubOpenAi.StartAsync();
        using var tested = new ModelUnderTest(stub.BaseUrl);
        stub.SendsBase64 = false;

        var whole = await tested.Embedder.EmbedAsync([.. Enumerable.Repeat("text", OpenAiEmbedder.MostTexts)], TestContext.Current.CancellationToken);
        stub.AnswerEmbeddings($$"""{"object":"list","data":[{{new string(' ', 20 * MiB)}}]}""");
        var failure = await Assert.ThrowsAsync<ModelException>(() => tested.Embedder.EmbedAsync(["text"], TestContext.Current.CancellationToken));

        Assert.Equal(OpenAiEmbedder.MostTexts, whole.Count);
        Assert.Equal("The model's server sent more than an answer can be.", failure.Message);
    }

    [Fact]
    public async Task A_quotation_is_cut_as_well()
    {
        var pieces = await OfflineAnswerer
            .StreamAsync($"> Nodes talk {new string('x', 10_000)}. [1]", maxTokens: 10, TestContext.Current.CancellationToken)
            .ToListAsync(TestContext.Current.CancellationToken);

        Assert.Equal((ModelFinish.Length, 80), (pieces[^1].Finish, pieces.Sum(p => p.Text.Length)));
    }
}
