using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Features.Ingest.Progress;

namespace ChatBackend.Tests.Features.Ingest;

/// <summary>The queue over HTTP, behind a job that another process runs.</summary>
public sealed class IngestQueueTests : IAsyncLifetime
{
    private readonly ChatBackendApp _app = new();

    public async ValueTask InitializeAsync()
    {
        await _app.InitializeAsync();
        await _app.ExecuteAsync("insert into ingest_jobs (id, state, prune, plan, report, lease_owner, lease_until, attempt) values (@id, 'running', false, false, @report::jsonb, @id, now() + interval '1 hour', 1)",
            new { id = Guid.CreateVersion7(), report = IngestJson.Write(IngestReport.Empty) });
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task Twenty_jobs_wait_in_their_order_and_the_next_is_refused()
    {
        for (var i = 0; i < IngestOptions.MaxWaiting; i++)
            Assert.Equal(i + 1, (await AcceptedAsync("a.md")).GetProperty("ahead").GetInt32());

        using var refused = await PostAsync("a.md");
        await refused.ProblemAsync(429, "ingest_queue_full");
        Assert.NotNull(refused.Headers.RetryAfter);
        Assert.Equal(0, await _app.ScalarAsync<int>("select count(*)::integer from ingest_jobs where state = 'receiving'"));
    }

    [Fact]
    public async Task The_whole_book_takes_the_place_of_the_uploads_that_wait_and_a_part_never_does()
    {
        var part = await AcceptedAsync("a.md");
        var plan = await AcceptedAsync("a.md", plan: true);
        for (var i = 2; i < IngestOptions.MaxWaiting; i++)
            await AcceptedAsync($"{i}.md");

        var book = await AcceptedAsync("book.md", prune: true);
        var later = await AcceptedAsync("later.md");

        var superseded = await GetAsync(part);
        Assert.Equal(("superseded", Id(book)), (superseded.GetProperty("state").GetString(), superseded.GetProperty("superseded_by").GetString()));
        Assert.Equal("waiting", (await GetAsync(plan)).GetProperty("state").GetString());
        Assert.Equal((2, 3), ((await GetAsync(book)).GetProperty("ahead").GetInt32(), (await GetAsync(later)).GetProperty("ahead").GetInt32()));
        Assert.Equal(0, await _app.ScalarAsync<int>("select count(*)::integer from ingest_job_documents where path = '2.md'"));
    }

    [Fact]
    public async Task A_job_that_waits_is_cancelled_at_once()
    {
        var job = await AcceptedAsync("a.md");

        var cancelled = await (await _app.Client.DeleteAsync($"/ingest/jobs/{Id(job)}")).JsonAsync();

        Assert.Equal("cancelled", cancelled.GetProperty("state").GetString());
        Assert.Equal(HttpStatusCode.OK, (await _app.Client.DeleteAsync($"/ingest/jobs/{Id(job)}")).StatusCode);
        Assert.Equal(0, await _app.ScalarAsync<int>("select count(*)::integer from ingest_job_documents"));
    }

    private static string Id(JsonElement job) => job.GetProperty("id").GetString()!;

    private Task<HttpResponseMessage> PostAsync(string path, bool prune = false, bool plan = false) =>
        _app.Client.PostAsync("/ingest", JsonContent.Create(new { documents = new[] { new { path, content = "Text." } }, prune, plan }));

    private async Task<JsonElement> AcceptedAsync(string path, bool prune = false, bool plan = false)
    {
        using var response = await PostAsync(path, prune, plan);
        Assert.True(response.StatusCode == HttpStatusCode.Accepted, await response.Content.ReadAsStringAsync());
        return await response.JsonAsync();
    }

    private async Task<JsonElement> GetAsync(JsonElement job) => await (await _app.Client.GetAsync($"/ingest/jobs/{Id(job)}")).JsonAsync();
}
