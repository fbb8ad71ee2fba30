using System.Net;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Search;

public sealed class SearchPassagesTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    [Fact]
    public async Task Finds_the_passage_that_answers_with_its_place_in_the_book()
    {
        await IndexAsync("find/nodes.md", "Nodes",
            new Chunk(0, [], null, "Everything about the computation graph."),
            new Chunk(1, ["Talking", "Topics"], "topics", "Two nodes exchange zebra messages over a topic."));

        var response = await app.Client.GetAsync("/search?q=%20zebra%20messages%20");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var body = await response.JsonAsync();
        Assert.Equal("zebra messages", body.GetProperty("query").GetString());
        var best = body.GetProperty("passages")[0];
        Assert.Equal("Nodes", best.GetProperty("title").GetString());
        Assert.Equal("Topics", best.GetProperty("heading").GetString());
        Assert.Equal(["Nodes", "Talking", "Topics"], best.GetProperty("heading_path").EnumerateArray().Select(h => h.GetString()));
        Assert.Equal("/docs/find/nodes#topics", best.GetProperty("url").GetString());
        Assert.Contains("zebra", best.GetProperty("text").GetString());
        Assert.True(best.GetProperty("score").GetDouble() > 0);
        // Both words of two: the question counts as half a word longer.
        Assert.InRange(best.GetProperty("coverage").GetDouble(), 0.75, 0.85);
    }

    [Fact]
    public async Task Gives_no_more_than_the_limit()
    {
        await IndexAsync("limit/a.md", "Quokkas", [.. Enumerable.Range(0, 9).Select(i => new Chunk(i, [], null, $"The quokka number {i} eats leaf{i} near hill{i}."))]);

        Assert.Equal(6, (await (await app.Client.GetAsync("/search?q=quokka")).JsonAsync()).GetProperty("passages").GetArrayLength());
        Assert.Equal(2, (await (await app.Client.GetAsync("/search?q=quokka&limit=2")).JsonAsync()).GetProperty("passages").GetArrayLength());
    }

    [Fact]
    public async Task Unknown_words_return_an_empty_list()
    {
        var response = await app.Client.GetAsync("/search?q=xylophonist");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(0, (await response.JsonAsync()).GetProperty("passages").GetArrayLength());
    }

    [Theory]
    [InlineData("", "q")]
    [InlineData("?q=", "q")]
    [InlineData("?q=%20%09", "q")]
    [InlineData("?q=a%00b", "q")]
    [InlineData("?q=a&limit=0", "limit")]
    [InlineData("?q=a&limit=21", "limit")]
    [InlineData("?q=a&limit=six", "limit")]
    [InlineData("?q=a&limit=99999999999", "limit")]
    public async Task Answers_400_naming_the_wrong_field(string query, string field)
    {
        var problem = await (await app.Client.GetAsync("/search" + query)).ProblemAsync(400, "invalid_request");

        Assert.Equal([field], problem.GetProperty("errors").EnumerateObject().Select(e => e.Name));
    }

    [Fact]
    public async Task The_longest_question_passes_and_one_character_more_does_not()
    {
        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/search?q=" + new string('a', 1000))).StatusCode);
        await (await app.Client.GetAsync("/search?q=" + new string('a', 1001))).ProblemAsync(400, "invalid_request");
    }

    private Task IndexAsync(string path, string title, params Chunk[] chunks)
    {
        _ = app.Address; // starts the service, which migrates
        return app.Services.GetRequiredService<IPassageIndex>().ReplaceAsync(
            new(path, title, "/docs/" + path.Replace(".md", ""), "1", chunks), CancellationToken.None);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Words_answer_alone_when_the_embedding_model_fails_or_takes_too_long(bool isSlow)
    {
        await using var model = await StubOpenAi.StartAsync();
        await using var embedding = new ChatBackendApp
        {
            ["OPENAI_BASE_URL"] = model.BaseUrl,
            ["ModelLimits:Embed"] = "00:00:00.200",
            ["ModelLimits:EmbedBudget"] = "00:00:00.500",
        };
        await embedding.InitializeAsync();
        _ = embedding.Client;
        var document = new IndexedDocument("a.md", "Title", "/docs/a", "1", [new(0, [], null, "The gripper closes around the cup.")]);
        var vectors = embedding.Services.GetRequiredService<IPassageVectors>();
        var key = Passage.Of(document)[0].ContentKey(vectors.Embedder!.Model);
        await vectors.ReplaceAsync(document, new Dictionary<Guid, ReadOnlyMemory<float>> { [key] = new float[] { 1, 0, 0 } }, TestContext.Current.CancellationToken);
        if (isSlow)
            model.HangEmbeddings(times: 10);
        else
            model.FailEmbeddings(500, times: 10);

        // The first search brings the version that has vectors.
        Assert.Contains("/docs/a", await embedding.Client.GetStringAsync("/search?q=gripper"));
        Assert.Contains("/docs/a", await embedding.Client.GetStringAsync("/search?q=gripper"));
        Assert.NotEmpty(model.EmbeddingRequests);
    }
}
