using System.Net;
using System.Net.Http.Json;
using ChatBackend.Features.Ingest.Progress;
using ChatBackend.Infrastructure.Search.Meaning;
using ChatBackend.Infrastructure.Search.Qdrant;
using ChatBackend.Tests.Features.Chat.Answering;
using ChatBackend.Tests.Features.Ingest;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using ChatBackend.Tests.Infrastructure.Search.Qdrant;

namespace ChatBackend.Tests.Features.Chat;

/// <summary>The whole service with Qdrant as its index: a book goes in from a folder and comes out in answers.</summary>
public sealed class QdrantChatTests : IAsyncLifetime
{
    private const string Question = "How do two ROS 2 nodes talk to each other?";
    private const string PartlyCovered = "Do nodes talk to each other over topics while a lighthouse is dark?";

    private readonly string _folder = Directory.CreateTempSubdirectory("book").FullName;
    private StubQdrant _qdrant = null!;
    private StubOpenAi _model = null!;

    public async ValueTask InitializeAsync()
    {
        _qdrant = await StubQdrant.StartAsync();
        _model = await StubOpenAi.StartAsync();
        _model.Vector = BagOfWords;
        Write("ros2/topics.md", "# Topics\n\n## How nodes talk\n\nTwo ROS 2 nodes talk to each other over topics: one publishes messages, the other subscribes.");
        Write("motion/balance.md", "# Balance\n\n## The zero moment point\n\nA humanoid keeps its balance while the zero moment point stays inside the support polygon.");
    }

    public async ValueTask DisposeAsync()
    {
        await _model.DisposeAsync();
        await _qdrant.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_book_goes_in_once_and_a_question_is_answered_with_its_citation()
    {
        await using var app = await StartAsync();
        var first = await IngestAsync(app);
        var embedded = _model.EmbeddingRequests.Count;
        var second = await IngestAsync(app);
        _model.Answer("Over topics [1].");

        var answer = await (await AskAsync(app, Question)).JsonAsync();

        Assert.Equal((2, 2, 0), (first.Documents, first.Passages, first.Unchanged));
        Assert.Equal((0, 2), (second.Passages, second.Unchanged));
        Assert.Equal("Over topics [1].", answer.GetProperty("response").GetString());
        Assert.Equal("/docs/ros2/topics#how-nodes-talk", Assert.Single(answer.GetProperty("citations").EnumerateArray()).GetProperty("url").GetString());
        Assert.Equal("grounded", answer.GetProperty("grounding").GetString());
        // Only the question was embedded since the first ingest.
        Assert.Equal([Question], _model.EmbeddingRequests.Skip(embedded).SelectMany(r => r.Inputs));
    }

    [Fact]
    public async Task A_page_that_changed_is_replaced_and_one_that_is_gone_is_pruned()
    {
        await using var app = await StartAsync();
        await IngestAsync(app);
        Write("ros2/topics.md", "# Topics\n\n## Over channels\n\nTwo ROS 2 nodes talk to each other over channels.");
        File.Delete(Path.Combine(_folder, "motion/balance.md"));

        var summary = await IngestAsync(app, prune: true);

        Assert.Equal((1, 1), (summary.Passages, summary.Removed));
        Assert.Equal("/docs/ros2/topics#over-channels", Assert.Single(await SearchAsync(app, Question)));
        Assert.Empty(await SearchAsync(app, "zero moment point of a humanoid"));
    }

    [Fact]
    public async Task Offline_the_words_alone_find_the_passage()
    {
        await using var app = await StartAsync(isOffline: true);
        await IngestAsync(app);

        var answer = await (await AskAsync(app, Question)).JsonAsync();

        Assert.Equal("/docs/ros2/topics#how-nodes-talk", answer.GetProperty("citations")[0].GetProperty("url").GetString());
        Assert.Empty(_model.EmbeddingRequests);
        Assert.Empty(await SearchAsync(app, "xylophonist"));
    }

    [Fact]
    public async Task When_embedding_fails_the_words_alone_find_the_passage()
    {
        await using var app = await StartAsync();
        await IngestAsync(app);
        _model.FailEmbeddings(401, "invalid_api_key").Answer("Over topics [1].");

        var answer = await (await AskAsync(app, Question)).JsonAsync();

        Assert.Equal("/docs/ros2/topics#how-nodes-talk", answer.GetProperty("citations")[0].GetProperty("url").GetString());
    }

    [Fact]
    public async Task A_question_in_other_words_than_the_books_is_answered_by_its_meaning()
    {
        await using var app = await StartAsync();
        _model.Vector = (text, dimensions) => BagOfWords(text.Replace("upright stance", "humanoid keeps balance zero moment point inside support polygon"), dimensions);
        await IngestAsync(app);
        _model.Answer("By the zero moment point [1].");

        var answer = await (await AskAsync(app, "upright stance")).JsonAsync();

        Assert.Equal("/docs/motion/balance#the-zero-moment-point", answer.GetProperty("citations")[0].GetProperty("url").GetString());
        Assert.Equal("grounded", answer.GetProperty("grounding").GetString());
    }

    [Fact]
    public async Task A_model_that_fails_after_the_last_page_does_not_fail_the_ingest()
    {
        await using var app = await StartAsync();
        // A vector without numbers makes the answer invalid.
        _model.Vector = (text, dimensions) => UnrelatedQuestions.In("en").Contains(text) ? [] : BagOfWords(text, dimensions);
        Assert.Equal(2, (await IngestAsync(app)).Passages);
        Assert.Empty(_qdrant.Payloads("textbook", QdrantFields.Threshold));
        _model.Vector = BagOfWords;

        Assert.Equal(2, (await IngestAsync(app)).Unchanged);

        Assert.Single(_qdrant.Payloads("textbook", QdrantFields.Threshold));
    }

    [Theory]
    [InlineData(PartlyCovered, 0.5, true)]
    [InlineData(PartlyCovered, 0.1, false)]
    [InlineData(Question, 0.19, true)]
    [InlineData("دو نوڈز آپس میں کیسے بات کرتے ہیں؟", 0.5, true)]
    [InlineData("دو نوڈز آپس میں کیسے بات کرتے ہیں؟", 0.1, false)]
    public async Task Offline_with_an_embedder_coverage_and_nearness_decide_together(string question, double similarity, bool isAnswered)
    {
        await using var app = await StartAsync(isOffline: true, embeddingModel: "a-local-model");
        _model.Vector = Similarity(question, similarity);
        await IngestAsync(app);

        var answer = await (await AskAsync(app, question)).JsonAsync();

        Assert.Equal(isAnswered, answer.GetProperty("grounding").GetString() != "none");
        Assert.Equal(isAnswered, answer.GetProperty("citations").GetArrayLength() > 0);
        Assert.Empty(_model.Requests);
    }

    [Theory]
    [InlineData(0.5, 1)]
    [InlineData(0.1, 2)]
    public async Task A_near_question_in_another_language_needs_no_translation(double similarity, int requests)
    {
        const string Urdu = "دو نوڈز آپس میں کیسے بات کرتے ہیں؟";
        await using var app = await StartAsync(embeddingModel: "a-local-model");
        _model.Vector = Similarity(Urdu, similarity);
        await IngestAsync(app);
        for (var i = 1; i < requests; i++)
            _model.Answer("nodes talk over topics");
        _model.Answer("موضوعات کے ذریعے [1]۔");

        var answer = await (await AskAsync(app, Urdu)).JsonAsync();

        Assert.Equal("/docs/ros2/topics#how-nodes-talk", answer.GetProperty("citations")[0].GetProperty("url").GetString());
        Assert.Equal(requests, _model.Requests.Count);
    }

    [Fact]
    public async Task Off_the_book_nothing_is_given_to_the_model()
    {
        await using var app = await StartAsync();
        await IngestAsync(app);
        _model.Answer("The book does not cover this.");

        var answer = await (await AskAsync(app, "Which wine goes with oysters?")).JsonAsync();

        Assert.Equal("none", answer.GetProperty("grounding").GetString());
        Assert.Contains("The book has no passage on this question", _model.Requests[^1].Messages[1].Content);
    }

    [Theory]
    [InlineData(true, RetrievalTests.Translation)]
    [InlineData(false, RetrievalTests.Translation)]
    [InlineData(true, RetrievalTests.StackTrace)]
    [InlineData(false, RetrievalTests.StackTrace)]
    public async Task A_selection_that_the_book_does_not_hold_leaves_the_verdict_to_the_question(bool isOffline, string selection)
    {
        await using var app = await StartAsync(isOffline);
        await IngestAsync(app);
        _model.Answer("Over topics [1].");

        var answer = await (await AskAsync(app, Question, selection: selection)).JsonAsync();

        Assert.Equal("/docs/ros2/topics#how-nodes-talk", answer.GetProperty("citations")[0].GetProperty("url").GetString());
        Assert.Equal("grounded", answer.GetProperty("grounding").GetString());
    }

    [Fact]
    public async Task While_Qdrant_is_unavailable_a_turn_fails_with_503_and_the_same_key_retries_it()
    {
        await using var app = await StartAsync();
        await IngestAsync(app);
        _qdrant.Next("", StubFault.Error(503), int.MaxValue);
        var key = Guid.NewGuid().ToString();

        var response = await AskAsync(app, Question, key);
        var problem = await response.ProblemAsync(503, "search_unavailable");

        Assert.NotNull(response.Headers.RetryAfter);
        Assert.DoesNotContain(StubQdrant.UpstreamText, problem.ToString());
        Assert.Empty(_model.Requests);
        await (await app.Client.GetAsync("/search?q=nodes")).ProblemAsync(503, "search_unavailable");

        _qdrant.Heal();
        _model.Answer("Over topics [1].");
        Assert.Equal("Over topics [1].", (await (await AskAsync(app, Question, key)).JsonAsync()).GetProperty("response").GetString());
        Assert.Equal(1, await app.ScalarAsync<int>("select count(*) from turns"));
    }

    [Fact]
    public async Task Readiness_shows_Qdrant_and_is_degraded_without_it()
    {
        await using var app = await StartAsync();
        await IngestAsync(app);
        var healthy = await (await app.Client.GetAsync("/health/ready")).JsonAsync();
        Assert.Equal("ready", healthy.GetProperty("status").GetString());
        var qdrant = healthy.GetProperty("dependencies").GetProperty("qdrant");
        Assert.Equal(("healthy", "reachable"), (qdrant.GetProperty("status").GetString(), qdrant.GetProperty("detail").GetString()));
        Assert.True(qdrant.GetProperty("latency_ms").GetDouble() > 0);

        await using var without = await StartAsync(url: "http://127.0.0.1:1");
        var response = await without.Client.GetAsync("/health/ready");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        var degraded = await response.JsonAsync();
        Assert.Equal("degraded", degraded.GetProperty("status").GetString());
        Assert.Equal("unhealthy", degraded.GetProperty("dependencies").GetProperty("qdrant").GetProperty("status").GetString());
        Assert.DoesNotContain("127.0.0.1", degraded.ToString());
    }

    [Fact]
    public async Task Without_Qdrant_the_service_starts_even_with_a_sample_book_to_ingest()
    {
        await using var app = await StartAsync(url: "http://127.0.0.1:1", sampleBook: "on");

        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/health")).StatusCode);
    }

    private async Task<ChatBackendApp> StartAsync(bool isOffline = false, string? url = null, string sampleBook = "off", string? embeddingModel = null)
    {
        var app = new ChatBackendApp { ["QDRANT_URL"] = url ?? _qdrant.Url, ["QDRANT_API_KEY"] = StubQdrant.Key, ["SAMPLE_BOOK"] = sampleBook };
        app[isOffline ? "AI_PROVIDER" : "OPENAI_BASE_URL"] = isOffline ? "offline" : _model.BaseUrl;
        if (embeddingModel is not null)
            (app["OPENAI_BASE_URL"], app["OPENAI_EMBEDDING_MODEL"]) = (_model.BaseUrl, embeddingModel);
        await app.InitializeAsync();
        _ = app.Client;
        return app;
    }

    private Task<IngestReport> IngestAsync(ChatBackendApp app, bool prune = false) => app.IngestAsync(_folder, prune);

    private static Task<HttpResponseMessage> AskAsync(ChatBackendApp app, string message, string? key = null, string? selection = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/chat") { Content = JsonContent.Create(new { message, selected_text = selection }) };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return app.Client.SendAsync(request);
    }

    private static async Task<string[]> SearchAsync(ChatBackendApp app, string question)
    {
        var body = await (await app.Client.GetAsync($"/search?q={Uri.EscapeDataString(question)}")).JsonAsync();
        return [.. body.GetProperty("passages").EnumerateArray().Select(p => p.GetProperty("url").GetString()!)];
    }

    private void Write(string path, string text)
    {
        Directory.CreateDirectory(Path.Combine(_folder, Path.GetDirectoryName(path)!));
        File.WriteAllText(Path.Combine(_folder, path), text);
    }

    /// <summary>A model for which unrelated questions have a similarity of 0.2 to the page on topics, and the question another one.</summary>
    private static Func<string, int, float[]> Similarity(string question, double similarity) => (text, dimensions) =>
    {
        var toTopics = text == question ? similarity : UnrelatedQuestions.In("en").Contains(text) ? 0.2 : text.StartsWith("Topics", StringComparison.Ordinal) ? 1 : 0;
        var vector = new float[dimensions];
        // The page on balance has a direction of its own.
        (vector[0], vector[text.StartsWith("Balance", StringComparison.Ordinal) ? 1 : 2]) = ((float)toTopics, (float)Math.Sqrt(1 - (toTopics * toTopics)));
        return vector;
    };

    /// <summary>Texts with words in common are near each other, others are not.</summary>
    private static float[] BagOfWords(string text, int dimensions)
    {
        var vector = new float[dimensions];
        foreach (var word in text.ToLowerInvariant().Split([' ', '\n', '.', ',', ':', '?', '›'], StringSplitOptions.RemoveEmptyEntries))
            vector[word.Aggregate(7u, (hash, letter) => unchecked((hash * 31) + letter)) % (uint)dimensions] += word.Length > 3 ? 1 : 0.1f;
        return vector;
    }
}
