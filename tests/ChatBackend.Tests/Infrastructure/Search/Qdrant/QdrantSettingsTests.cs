using System.Net.Http.Json;
using ChatBackend.Infrastructure.Health;
using ChatBackend.Tests.Features.Ingest;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChatBackend.Tests.Infrastructure.Search.Qdrant;

/// <summary>The whole service with wrong settings: readers, readiness and ingest learn which one it is.</summary>
public sealed class QdrantSettingsTests : IAsyncLifetime
{
    private const string Question = "How do nodes talk to each other?";

    private readonly string _folder = Directory.CreateTempSubdirectory("book").FullName;
    private StubQdrant _qdrant = null!;
    private StubOpenAi _model = null!;

    public async ValueTask InitializeAsync()
    {
        _qdrant = await StubQdrant.StartAsync();
        _model = await StubOpenAi.StartAsync();
        File.WriteAllText(Path.Combine(_folder, "topics.md"), "# Topics\n\nTwo nodes talk to each other over topics.");
    }

    public async ValueTask DisposeAsync()
    {
        await _model.DisposeAsync();
        await _qdrant.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_wrong_key_is_named()
    {
        await using var app = await StartAsync(key: "wrong");

        await AssertNamedAsync(app, "Qdrant refused the key (401): QDRANT_API_KEY.");
    }

    [Theory]
    [InlineData("wrong key", "Qdrant refused the key (401): QDRANT_API_KEY.")]
    [InlineData("somebody else's", "set QDRANT_COLLECTION to another name")]
    [InlineData("no alias", "QDRANT_COLLECTION has to be free for an alias")]
    [InlineData("another model", "OPENAI_EMBEDDING_MODEL is nomic-embed-text")]
    [InlineData("full disk", "has failed (500)")]
    public async Task The_start_and_the_command_check_name_the_cause(string problem, string cause)
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Add("api-key", StubQdrant.Key);
        if (problem == "somebody else's")
            await http.PutAsJsonAsync($"{_qdrant.Url}/collections/textbook", new { vectors = new { size = 4, distance = "Dot" } });
        if (problem == "no alias")
            await http.PutAsJsonAsync($"{_qdrant.Url}/collections/textbook", new { sparse_vectors = new { bm25 = new { modifier = "idf" } } });
        if (problem == "another model")
        {
            await using var author = await StartAsync();
            await author.IngestAsync(_folder);
        }

        if (problem == "full disk")
            _qdrant.Next("", StubFault.Error(500), int.MaxValue);
        await using var app = new LoggedApp();
        Configure(app, problem == "wrong key" ? "wrong" : StubQdrant.Key, problem == "another model" ? "nomic-embed-text" : "text-embedding-3-small");
        await app.InitializeAsync();
        _ = app.Client;

        await Until.TrueAsync(() => app.Errors.Messages.Any(m => m.StartsWith("Qdrant cannot be used: ", StringComparison.Ordinal) && m.Contains(cause)), "the log does not name it");
        var output = new StringWriter();
        Assert.Equal(1, await CheckConnections.RunAsync(app.Services, output, CancellationToken.None));
        Assert.Contains(cause, output.ToString().Split('\n').Single(line => line.StartsWith("qdrant", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_key_that_may_only_read_answers_readers_and_is_named_by_an_ingest()
    {
        await using (var author = await StartAsync())
            await author.IngestAsync(_folder);
        await using var app = await StartAsync(key: StubQdrant.ReadOnlyKey);

        Assert.Single(await SearchAsync(app));
        File.AppendAllText(Path.Combine(_folder, "topics.md"), " And over services.");
        var failure = await FailureAsync(app);
        Assert.Contains("(403)", failure);
        Assert.Contains("QDRANT_API_KEY", failure);
    }

    [Fact]
    public async Task A_collection_of_somebody_else_is_named()
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Add("api-key", StubQdrant.Key);
        await http.PutAsJsonAsync($"{_qdrant.Url}/collections/textbook", new { vectors = new { size = 4, distance = "Dot" } });
        await using var app = await StartAsync();

        await AssertNamedAsync(app, "QDRANT_COLLECTION");
    }

    [Fact]
    public async Task A_collection_where_the_alias_should_be_is_named()
    {
        using var http = new HttpClient();
        http.DefaultRequestHeaders.Add("api-key", StubQdrant.Key);
        await http.PutAsJsonAsync($"{_qdrant.Url}/collections/textbook", new { sparse_vectors = new { bm25 = new { modifier = "idf" } } });
        await using var app = await StartAsync();

        Assert.Contains("QDRANT_COLLECTION has to be free for an alias, but \"textbook\" is a collection", await DetailAsync(app));
        Assert.Contains("has to be free for an alias", await FailureAsync(app));
    }

    [Fact]
    public async Task Where_only_the_vectors_do_not_fit_the_words_answer_alone()
    {
        await using (var author = await StartAsync())
            await author.IngestAsync(_folder);
        _model.Dimensions = 768;
        await using var app = await StartAsync(embeddingModel: "nomic-embed-text");

        Assert.Single(await SearchAsync(app));

        // The question taught the service the model's dimensions.
        var detail = await DetailAsync(app);
        foreach (var named in (string[])["text-embedding-3-small (1536 dimensions)", "OPENAI_EMBEDDING_MODEL is nomic-embed-text (768 dimensions)"])
            Assert.Contains(named, detail);
        await app.IngestAsync(_folder);
        Assert.Equal("reachable", await DetailAsync(app));
    }

    [Fact]
    public async Task A_full_disk_is_not_called_unreachable()
    {
        await using var app = await StartAsync();
        _qdrant.Next("", StubFault.Error(500), int.MaxValue);

        Assert.Equal("The book's search index has failed (500). Try again shortly.", await DetailAsync(app));
        await (await app.Client.GetAsync("/search?q=nodes")).ProblemAsync(503, "search_unavailable");
    }

    private async Task AssertNamedAsync(ChatBackendApp app, string cause)
    {
        Assert.Contains(cause, await DetailAsync(app));
        var response = await app.Client.GetAsync($"/search?q={Uri.EscapeDataString(Question)}");
        await response.ProblemAsync(503, "search_misconfigured");
        Assert.Null(response.Headers.RetryAfter);
        await (await app.Client.PostAsJsonAsync("/chat", new { message = Question })).ProblemAsync(503, "search_misconfigured");
        Assert.Contains(cause, await FailureAsync(app));
    }

    private async Task<string> FailureAsync(ChatBackendApp app) => (await Assert.ThrowsAnyAsync<Xunit.Sdk.XunitException>(() => app.IngestAsync(_folder))).Message;

    private static async Task<string?> DetailAsync(ChatBackendApp app)
    {
        // A report is kept for two seconds.
        string? detail = null, before = null;
        await Until.TrueAsync(
            async () =>
            {
                before = detail;
                detail = (await (await app.Client.GetAsync("/health/ready")).JsonAsync()).GetProperty("dependencies").GetProperty("qdrant").ToString();
                return before is not null && before != detail;
            },
            "the report was not renewed");
        return System.Text.Json.JsonDocument.Parse(detail!).RootElement.GetProperty("detail").GetString();
    }

    private static async Task<string[]> SearchAsync(ChatBackendApp app)
    {
        var body = await (await app.Client.GetAsync($"/search?q={Uri.EscapeDataString(Question)}")).JsonAsync();
        return [.. body.GetProperty("passages").EnumerateArray().Select(p => p.GetProperty("url").GetString()!)];
    }

    private async Task<ChatBackendApp> StartAsync(string key = StubQdrant.Key, string embeddingModel = "text-embedding-3-small")
    {
        var app = new ChatBackendApp();
        Configure(app, key, embeddingModel);
        await app.InitializeAsync();
        _ = app.Client;
        return app;
    }

    private void Configure(ChatBackendApp app, string key, string embeddingModel)
    {
        app["QDRANT_URL"] = _qdrant.Url;
        app["QDRANT_API_KEY"] = key;
        app["OPENAI_BASE_URL"] = _model.BaseUrl;
        app["OPENAI_EMBEDDING_MODEL"] = embeddingModel;
    }

    private sealed class LoggedApp : ChatBackendApp
    {
        public CapturedLog Errors { get; } = new(LogLevel.Error);

        protected override void ConfigureWebHost(IWebHostBuilder builder)
        {
            base.ConfigureWebHost(builder);
            builder.ConfigureServices(services => services.AddSingleton<ILoggerProvider>(Errors));
        }
    }
}
