using System.Diagnostics;
using System.Net;
using System.Text.Json;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using Npgsql;

namespace ChatBackend.Tests.Features.Audits;

public sealed class SummarizeAuditTests : IAsyncLifetime
{
    private const string Knee = """{"title":"Knee","status":"completed","score":92.5,"details":{"joint":{"name":"left","torque_nm":[41.2,40.9]},"serial":12345678901234567890}}""";

    private readonly ChatBackendApp _app = new();
    private StubOpenAi _model = null!;

    public async ValueTask InitializeAsync()
    {
        _model = await StubOpenAi.StartAsync();
        _app["OPENAI_BASE_URL"] = _model.BaseUrl;
        _app["OPENAI_API_KEY"] = "sk-test";
        // A lease that is not given back outlasts any test.
        _app["MODEL_TIMEOUT_SECONDS"] = "120";
        await _app.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _model.DisposeAsync();
    }

    [Fact]
    public async Task The_model_reads_the_details_as_data_and_its_summary_is_stored()
    {
        var (path, before) = await _app.Client.CreateAuditAsync(Knee);
        var (other, _) = await _app.Client.CreateAuditAsync("""{"title":"Other"}""");
        _model.Answer("The left knee holds 41.2 Nm.");

        var response = await SummarizeAsync(path);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("\"2\"", response.Headers.ETag?.Tag);
        var after = await _app.Client.GetJsonAsync(path);
        Assert.Equal("The left knee holds 41.2 Nm.", after.GetProperty("summary").GetString());
        Assert.Equal(before.GetProperty("details").GetRawText(), after.GetProperty("details").GetRawText());
        Assert.Equal(JsonValueKind.Null, (await _app.Client.GetJsonAsync(other)).GetProperty("summary").ValueKind);
        var (role, content) = Assert.Single(_model.Requests).Messages[^1];
        Assert.Equal("user", role);
        Assert.Contains("12345678901234567890", content);
        Assert.Contains("41.2", content);
        // The fence is the same before and after, and named to the model.
        var lines = content.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        Assert.Equal(lines[0], lines[^1]);
        Assert.Contains(lines[0], _model.Requests[0].Messages[0].Content);
    }

    [Fact]
    public async Task A_model_that_fails_changes_nothing_and_the_next_request_asks_again()
    {
        var (path, before) = await _app.Client.CreateAuditAsync(Knee);
        _model.Fail(400, times: 1);

        await (await SummarizeAsync(path)).ProblemAsync(500, "model_failed");

        var after = await _app.Client.GetAsync(path);
        Assert.Equal(before.GetRawText(), (await after.JsonAsync()).GetRawText());
        Assert.Equal("\"1\"", after.Headers.ETag?.Tag);
        _model.Answer("Second try.");
        Assert.Equal("Second try.", (await (await SummarizeAsync(path)).JsonAsync()).GetProperty("summary").GetString());
    }

    [Fact]
    public async Task Ten_who_ask_at_once_cost_one_call_and_get_one_summary()
    {
        var (path, _) = await _app.Client.CreateAuditAsync(Knee);
        var gate = _model.AnswerInTwo("The knee", "holds.");
        using var looks = Looks();
        var first = SummarizeAsync(path);
        await gate.WhenReached;
        var others = Enumerable.Range(0, 9).Select(_ => SummarizeAsync(path)).ToArray();
        await looks.CountAsync(10);
        gate.Open();

        var summaries = await Task.WhenAll(((Task<HttpResponseMessage>[])[first, .. others]).Select(async r => (await (await r).JsonAsync()).GetProperty("summary").GetString()));

        Assert.Single(summaries.Distinct());
        Assert.Single(_model.Requests);
        Assert.Equal("\"2\"", (await _app.Client.GetAsync(path)).Headers.ETag?.Tag);
    }

    [Fact]
    public async Task Two_replicas_cost_one_call_and_one_takes_over_what_the_other_lost()
    {
        await using var replica = new ChatBackendApp { ["OPENAI_BASE_URL"] = _model.BaseUrl, ["OPENAI_API_KEY"] = "sk-test" };
        await replica.InitializeAsync();
        var (path, _) = await _app.Client.CreateAuditAsync(Knee);
        replica["DATABASE_URL"] = _app.Database;
        var gate = _model.AnswerInTwo("The knee", "holds.");
        using var looks = Looks();
        var first = SummarizeAsync(path);
        await gate.WhenReached;
        var second = replica.Client.SendAsync(HttpMethod.Post, path + "/summary");
        await looks.CountAsync(2);
        gate.Open();

        Assert.Equal(await (await first).Content.ReadAsStringAsync(), await (await second).Content.ReadAsStringAsync());
        Assert.Single(_model.Requests);

        // A process that died with the lease in its hands.
        await _app.ExecuteAsync("update audit set summary_lease_owner = gen_random_uuid(), summary_lease_until = now() + interval '1 hour'");
        _model.Answer("Taken over.");
        var waiting = replica.Client.SendAsync(HttpMethod.Post, path + "/summary");
        await looks.CountAsync(3);
        Assert.Single(_model.Requests);
        await _app.ExecuteAsync("update audit set summary_lease_until = now() - interval '1 second'");
        Assert.Equal("Taken over.", (await (await waiting).JsonAsync()).GetProperty("summary").GetString());
    }

    [Fact]
    public async Task Details_that_change_meanwhile_keep_the_old_summary_out_and_other_changes_do_not()
    {
        var (path, _) = await _app.Client.CreateAuditAsync(Knee);
        var gate = _model.AnswerInTwo("About", "the old.");
        var summary = SummarizeAsync(path);
        await gate.WhenReached;
        await _app.Client.SendAsync(HttpMethod.Patch, path, """{"details":{"new":1}}""");
        gate.Open();

        await (await summary).ProblemAsync(409, "audit_changed");
        Assert.Equal(JsonValueKind.Null, (await _app.Client.GetJsonAsync(path)).GetProperty("summary").ValueKind);

        gate = _model.AnswerInTwo("About", " the new.");
        summary = SummarizeAsync(path);
        await gate.WhenReached;
        await _app.Client.SendAsync(HttpMethod.Patch, path, """{"score":1}""");
        gate.Open();

        var audit = await (await summary).JsonAsync();
        Assert.Equal(("About the new.", 1), (audit.GetProperty("summary").GetString()!, audit.GetProperty("score").GetInt32()));
    }

    [Fact]
    public async Task A_record_deleted_meanwhile_is_a_404()
    {
        var (path, _) = await _app.Client.CreateAuditAsync(Knee);
        var gate = _model.AnswerInTwo("Too", "late.");
        var summary = SummarizeAsync(path);
        await gate.WhenReached;
        await _app.Client.DeleteAsync(path);
        gate.Open();

        await (await summary).ProblemAsync(404, "audit_not_found");
    }

    [Fact]
    public async Task A_summary_is_stored_even_if_its_caller_disconnects()
    {
        var (path, _) = await _app.Client.CreateAuditAsync(Knee);
        var gate = _model.AnswerInTwo("Still", "stored.");
        using var looks = Looks();
        var leave = Call();
        await gate.WhenReached;
        var other = SummarizeAsync(path);
        await looks.CountAsync(2);
        await leave();
        gate.Open();

        Assert.Equal(HttpStatusCode.OK, (await other).StatusCode);
        Assert.Equal(JsonValueKind.String, (await _app.Client.GetJsonAsync(path)).GetProperty("summary").ValueKind);

        // And with nobody left to wait for it.
        gate = _model.AnswerInTwo("Still", "stored.");
        leave = Call();
        await gate.WhenReached;
        await leave();
        gate.Open();
        await Until.TrueAsync(
            async () => (await _app.Client.GetAsync(path)).Headers.ETag?.Tag == "\"3\"", "The summary was lost with its caller.");

        // Gives what ends the call, on both sides.
        Func<Task> Call()
        {
            var trace = ActivityTraceId.CreateRandom();
            var ended = new EndedSpans("Microsoft.AspNetCore", s => s.TraceId == trace);
            var leaving = new CancellationTokenSource();
            var call = _app.Client.SendAsync(
                new(HttpMethod.Post, path + "/summary") { Headers = { { "traceparent", $"00-{trace}-{ActivitySpanId.CreateRandom()}-01" } } }, leaving.Token);
            return async () =>
            {
                using (leaving)
                using (ended)
                {
                    await leaving.CancelAsync();
                    await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
                    await ended.CountAsync(1);
                }
            };
        }
    }

    [Fact]
    public async Task A_long_answer_is_cut_between_words_at_2000_characters()
    {
        var (path, _) = await _app.Client.CreateAuditAsync(Knee);
        _model.Answer(string.Join(' ', Enumerable.Repeat("knee🤖", 600)));

        var summary = (await (await SummarizeAsync(path)).JsonAsync()).GetProperty("summary").GetString()!;

        Assert.InRange(summary.EnumerateRunes().Count(), 1990, 2000);
        Assert.EndsWith("knee🤖…", summary, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Offline_the_summary_lists_the_values_of_the_details()
    {
        await using var offline = new ChatBackendApp { ["AI_PROVIDER"] = "offline" };
        await offline.InitializeAsync();
        var (path, _) = await offline.Client.CreateAuditAsync(Knee);

        var audit = await (await offline.Client.SendAsync(HttpMethod.Post, path + "/summary")).JsonAsync();

        Assert.Equal(
            "Knee: completed, score 92.5. joint.name: left. joint.torque_nm: 41.2, 40.9. serial: 12345678901234567890.",
            audit.GetProperty("summary").GetString());
        Assert.Empty(_model.Requests);
    }

    [Fact]
    public async Task A_summary_takes_from_the_chats_rate_limit_and_asks_no_model_above_it()
    {
        await using var limited = new ChatBackendApp { ["OPENAI_BASE_URL"] = _model.BaseUrl, ["OPENAI_API_KEY"] = "sk-test", ["RATE_LIMIT_CHAT"] = "2" };
        await limited.InitializeAsync();
        var (path, _) = await limited.Client.CreateAuditAsync(Knee);
        Assert.Equal(HttpStatusCode.OK, (await limited.Client.SendAsync(HttpMethod.Post, path + "/summary")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await limited.Client.SendAsync(HttpMethod.Post, "/chat", """{"message":"What is a topic?"}""")).StatusCode);
        var calls = _model.Requests.Count;

        var response = await limited.Client.SendAsync(HttpMethod.Post, path + "/summary");

        await response.ProblemAsync(429, "rate_limited");
        Assert.True(response.Headers.RetryAfter?.Delta > TimeSpan.Zero);
        Assert.Equal(calls, _model.Requests.Count);
        Assert.Equal("\"2\"", (await limited.Client.GetAsync(path)).Headers.ETag?.Tag);
    }

    /// <summary>Counts the requests, at any replica, that have seen how many summaries there are, and wait for a newer one.</summary>
    private EndedSpans Looks()
    {
        var database = new NpgsqlConnectionStringBuilder(_app.Database).Database;
        return new("Npgsql", s => Equals(s.GetTagItem("db.namespace"), database) && s.GetTagItem("db.query.text") is string text && text.StartsWith("select summaries,(", StringComparison.Ordinal));
    }

    private Task<HttpResponseMessage> SummarizeAsync(string path) => _app.Client.SendAsync(HttpMethod.Post, path + "/summary");
}
