using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using ChatBackend.Tests.Infrastructure.Search.Qdrant;

namespace ChatBackend.Tests.Features.Ingest;

/// <summary>What an edit leaves unchanged is not embedded again, and a plan says so beforehand.</summary>
public sealed class IngestReuseTests : IAsyncLifetime
{
    // Sections of a few words would be joined.
    private const string More = "It is described here in as many words as a passage of its own needs, so that the sections of the page are not joined into one, and every one of them has its own vector.";
    private const string First = "The first paragraph of the page about nodes. " + More;
    private const string Nodes = $"---\ntitle: Nodes\n---\n\n{First}\n\n## Topics\n\nA topic has a name. {More}\n\n## Services\n\nA service answers. {More}\n";
    private const string Arms = $"---\ntitle: Arms\n---\n\nAn arm has joints. {More}\n\n## Grippers\n\nA gripper has two fingers. {More}\n";

    private StubOpenAi _model = null!;
    private StubQdrant _qdrant = null!;

    public async ValueTask InitializeAsync()
    {
        _model = await StubOpenAi.StartAsync();
        _qdrant = await StubQdrant.StartAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _model.DisposeAsync();
        await _qdrant.DisposeAsync();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_paragraph_at_the_top_a_renamed_page_and_another_route_embed_nothing_unchanged(bool isQdrant)
    {
        await using var app = await StartAsync(isQdrant);
        await IngestAsync(app, ("nodes.md", Nodes), ("arms.md", Arms));
        Assert.Equal(5, Embedded().Length);

        await IngestAsync(app, ("nodes.md", Nodes.Replace(First, $"Something new comes before it. {More}\n\n## Start\n\n{First}")), ("arms.md", Arms));
        Assert.Equal([$"Nodes\n\nSomething new comes before it. {More}", $"Nodes › Start\n\n{First}"], Embedded()[5..].Order(StringComparer.Ordinal));

        var before = Embedded().Length;
        await IngestAsync(app, ("nodes.md", Nodes), ("module-1/arms.md", Arms));
        Assert.Equal([$"Nodes\n\n{First}"], Embedded()[before..]);
        Assert.Contains("/docs/module-1/arms#grippers", await app.Client.GetStringAsync("/search?q=gripper+fingers"));
        Assert.DoesNotContain("/docs/arms", await app.Client.GetStringAsync("/search?q=gripper+fingers"));

        if (!isQdrant)
            return;
        // The same Qdrant, with another database.
        await using var moved = await StartAsync(route: "/book");
        before = Embedded().Length;
        await IngestAsync(moved, ("nodes.md", Nodes), ("module-1/arms.md", Arms));
        Assert.Equal(before, Embedded().Length);
        Assert.Contains("/book/module-1/arms#grippers", await moved.Client.GetStringAsync("/search?q=gripper+fingers"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_plan_names_what_would_change_and_writes_nothing(bool isQdrant)
    {
        await using var app = await StartAsync(isQdrant);
        await IngestAsync(app, ("nodes.md", Nodes), ("arms.md", Arms), ("gone.md", "# Gone\n\nForgotten words."), ("same.md", "# Same\n\nThe same words."));
        var points = _qdrant.Ids(SearchQdrant.Collection);
        (string, string)[] next =
        [
            ("nodes.md", Nodes.Replace("A service answers.", "A service answers at once.")), ("module-1/arms.md", Arms), ("new.md", "# New\n\nWords that are new."),
            ("same.md", "# Same\n\nThe same words."), ("draft.md", "---\ndraft: true\n---\n"),
        ];

        var report = (await PostAsync(app, plan: true, next)).GetProperty("report");

        var plan = report.GetProperty("plan");
        Assert.Equal(["new.md"], Names(plan, "added"));
        Assert.Equal(["nodes.md"], Names(plan, "changed"));
        Assert.Equal(["gone.md"], Names(plan, "removed"));
        var moved = Assert.Single(plan.GetProperty("moved").EnumerateArray());
        Assert.Equal(("arms.md", "module-1/arms.md"), (moved.GetProperty("from").GetString(), moved.GetProperty("to").GetString()));
        Assert.Equal((5, 1, 1), (report.GetProperty("done").GetInt32(), report.GetProperty("unchanged").GetInt32(), report.GetProperty("drafts").GetInt32()));
        Assert.Equal(points, _qdrant.Ids(SearchQdrant.Collection));
        Assert.Contains("gone", await app.Client.GetStringAsync("/search?q=forgotten"));

        var done = (await PostAsync(app, plan: false, next)).GetProperty("report");
        Assert.Equal(plan.GetProperty("passages_to_embed").GetInt32(), done.GetProperty("embedded").GetInt32());
        Assert.Equal(2, done.GetProperty("embedded").GetInt32());
    }

    [Theory]
    [InlineData(true, 404)]
    [InlineData(true, 400)]
    [InlineData(false, 404)]
    [InlineData(false, 400)]
    public async Task A_server_without_embeddings_costs_no_page_and_a_later_ingest_adds_the_vectors(bool isQdrant, int status)
    {
        await using var app = await StartAsync(isQdrant);
        (string, string)[] book = [("nodes.md", Nodes), ("arms.md", Arms)];
        _model.FailEmbeddings(status, times: 1_000);

        var first = await IngestAsync(app, book);
        var second = await IngestAsync(app, book);

        Assert.Equal((2, 0, 0, 0), Counts(first));
        Assert.Equal((0, 2, 0, 0), Counts(second));
        Assert.Contains("OPENAI_EMBEDDING_MODEL", first.GetProperty("report").GetProperty("notice").GetString());
        Assert.Contains("/docs/arms#grippers", await app.Client.GetStringAsync("/search?q=gripper+fingers"));

        _model.Clear();
        var third = await IngestAsync(app, book);
        var fourth = await IngestAsync(app, book);

        Assert.Equal((2, 0, 0, 5), Counts(third));
        Assert.Equal((0, 2, 0, 0), Counts(fourth));
        Assert.Equal(JsonValueKind.Null, third.GetProperty("report").GetProperty("notice").ValueKind);

        static (int Ingested, int Unchanged, int Failed, int Embedded) Counts(JsonElement job) =>
            (Count(job, "ingested"), Count(job, "unchanged"), Count(job, "failed_count"), Count(job, "embedded"));
        static int Count(JsonElement job, string name) => job.GetProperty("report").GetProperty(name).GetInt32();
    }

    [Fact]
    public async Task Without_an_embedding_model_on_purpose_nothing_is_embedded()
    {
        await using var app = new ChatBackendApp { ["OPENAI_BASE_URL"] = _model.BaseUrl, ["OPENAI_EMBEDDING_MODEL"] = "off" };
        await app.InitializeAsync();

        var job = await IngestAsync(app, ("arms.md", Arms));

        Assert.Contains("/docs/arms#grippers", await app.Client.GetStringAsync("/search?q=gripper+fingers"));
        Assert.Empty(_model.EmbeddingRequests);
        Assert.Equal(JsonValueKind.Null, job.GetProperty("report").GetProperty("notice").ValueKind);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Authors_see_what_the_index_holds_and_remove_a_document(bool isQdrant)
    {
        await using var app = await StartAsync(isQdrant);
        await IngestAsync(app, ("nodes.md", Nodes), ("arms.md", Arms), ("b.md", "# B\n\nA gecko climbs."));

        var list = await (await app.Client.GetAsync("/ingest/documents?limit=2")).JsonAsync();
        Assert.Equal((3, "b.md"), (list.GetProperty("total").GetInt32(), list.GetProperty("next").GetString()));
        var arms = list.GetProperty("documents")[0];
        Assert.Equal(("arms.md", "Arms", "/docs/arms", 2), (
            arms.GetProperty("path").GetString(), arms.GetProperty("title").GetString(), arms.GetProperty("url").GetString(), arms.GetProperty("passages").GetInt32()));
        Assert.InRange(DateTime.UtcNow - arms.GetProperty("ingested_at").GetDateTime(), TimeSpan.FromMinutes(-1), TimeSpan.FromMinutes(10));
        var rest = await (await app.Client.GetAsync("/ingest/documents?after=b.md")).JsonAsync();
        Assert.Equal(["nodes.md"], rest.GetProperty("documents").EnumerateArray().Select(d => d.GetProperty("path").GetString()!));

        Assert.Equal(HttpStatusCode.NoContent, (await app.Client.DeleteAsync("/ingest/documents?path=b.md")).StatusCode);
        Assert.Contains("\"passages\":[]", await app.Client.GetStringAsync("/search?q=gecko+climbs"));
        await (await app.Client.DeleteAsync("/ingest/documents?path=b.md")).ProblemAsync(404, "document_not_found");
        await (await app.Client.DeleteAsync("/ingest/documents")).ProblemAsync(400, "invalid_request");
        await (await app.Client.GetAsync("/ingest/documents?limit=0")).ProblemAsync(400, "invalid_request");
        await app.ExecuteAsync("update ingest_jobs set state = 'running', ended_at = null, lease_owner = id, lease_until = now() + interval '1 hour'");
        await (await app.Client.DeleteAsync("/ingest/documents?path=arms.md")).ProblemAsync(409, "ingest_job_running");
    }

    private static string[] Names(JsonElement plan, string list) => [.. plan.GetProperty(list).EnumerateArray().Select(n => n.GetString()!)];

    private string[] Embedded() => [.. _model.EmbeddingRequests.SelectMany(r => r.Inputs).Where(text => text.Contains('\n'))];

    private async Task<ChatBackendApp> StartAsync(bool isQdrant = true, string route = "/docs")
    {
        var app = new ChatBackendApp { ["OPENAI_BASE_URL"] = _model.BaseUrl, ["DOCS_ROUTE"] = route };
        if (isQdrant)
            (app["QDRANT_URL"], app["QDRANT_API_KEY"]) = (_qdrant.Url, StubQdrant.Key);
        await app.InitializeAsync();
        return app;
    }

    private static Task<JsonElement> IngestAsync(ChatBackendApp app, params (string Path, string Content)[] pages) => PostAsync(app, plan: false, pages);

    private static async Task<JsonElement> PostAsync(ChatBackendApp app, bool plan, params (string Path, string Content)[] pages)
    {
        using var posted = await app.Client.PostAsync("/ingest", JsonContent.Create(new { documents = pages.Select(p => new { path = p.Path, content = p.Content }), prune = true, plan }));
        JsonElement job = default;
        await Until.TrueAsync(
            async () => (job = await (await app.Client.GetAsync(posted.Headers.Location)).JsonAsync()).GetProperty("ended_at").ValueKind is not JsonValueKind.Null, "The job did not end.");
        Assert.True(job.GetProperty("state").GetString() == "completed", job.GetRawText());
        return job;
    }
}
