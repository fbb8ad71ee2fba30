using System.Net;
using System.Text.Json;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using ChatBackend.Tests.Infrastructure.Database;

namespace ChatBackend.Tests.Features.Audits;

/// <summary>The connection breaks after the server is done with a write: the write is repeated, and must know its own first try.</summary>
public sealed class AuditDatabaseFaultTests : IAsyncLifetime
{
    private readonly ChatBackendApp _app = new();
    private StubOpenAi _model = null!;
    private DatabaseRelay _relay = null!;

    public async ValueTask InitializeAsync()
    {
        await _app.InitializeAsync();
        _relay = new(_app.Database);
        _model = await StubOpenAi.StartAsync();
        _app["DATABASE_URL"] = _relay.ConnectionString;
        _app["OPENAI_BASE_URL"] = _model.BaseUrl;
        _app["OPENAI_API_KEY"] = "sk-test";
        // A lease that is not given back outlasts any test.
        _app["MODEL_TIMEOUT_SECONDS"] = "120";
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _relay.DisposeAsync();
        await _model.DisposeAsync();
    }

    [Fact]
    public async Task A_record_whose_reply_was_lost_is_created_once()
    {
        await _app.Client.CreateAuditAsync("""{"title":"Other"}""");
        _relay.LoseAnswerTo("insert into audit");

        var response = await _app.Client.SendAsync(HttpMethod.Post, "/audits", """{"title":"Once"}""");

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal("\"1\"", response.Headers.ETag?.Tag);
        Assert.Equal("Once", (await _app.Client.GetJsonAsync(response.Headers.Location!.ToString())).GetProperty("title").GetString());
        Assert.Equal(2, await _app.ScalarAsync<int>("select count(*) from audit"));
        Assert.Equal(1, _relay.Lost);
    }

    [Theory]
    [InlineData("PUT", "\"1\"")]
    [InlineData("PUT", null)]
    [InlineData("PATCH", "\"1\"")]
    [InlineData("PATCH", null)]
    public async Task A_change_whose_reply_was_lost_is_made_once(string method, string? ifMatch)
    {
        var (path, _) = await _app.Client.CreateAuditAsync("""{"title":"Before"}""");
        var (other, _) = await _app.Client.CreateAuditAsync("""{"title":"Other"}""");
        _relay.LoseAnswerTo("update audit");

        var response = await _app.Client.SendAsync(new(method), path, """{"title":"After"}""", ifMatch);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("\"2\"", response.Headers.ETag?.Tag);
        Assert.Equal("After", (await response.JsonAsync()).GetProperty("title").GetString());
        Assert.Equal(await response.Content.ReadAsStringAsync(), (await _app.Client.GetJsonAsync(path)).GetRawText());
        Assert.Equal("\"2\"", (await _app.Client.GetAsync(path)).Headers.ETag?.Tag);
        Assert.Equal("\"1\"", (await _app.Client.GetAsync(other)).Headers.ETag?.Tag);
        Assert.Equal(1, _relay.Lost);
    }

    [Theory]
    [InlineData("PUT", "\"1\"")]
    [InlineData("PUT", null)]
    [InlineData("PATCH", "\"1\"")]
    [InlineData("PATCH", null)]
    public async Task A_change_whose_reply_was_lost_is_known_behind_a_newer_one_and_does_not_undo_it(string method, string? ifMatch)
    {
        var (path, _) = await _app.Client.CreateAuditAsync("""{"title":"Before"}""");
        // Somebody else writes between the first try and its repeat.
        await _app.ExecuteAsync(
            """
            create function write_too() returns trigger language plpgsql as $$
            begin
                update audit set title = 'Newer', version = version + 1, change_ids = gen_random_uuid() || change_ids where id = new.id;
                return null;
            end $$;
            create trigger write_too after update on audit for each row when (pg_trigger_depth() = 0) execute function write_too();
            """);
        _relay.LoseAnswerTo("update audit");

        var response = await _app.Client.SendAsync(new(method), path, """{"title":"Mine"}""", ifMatch);

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("\"3\"", response.Headers.ETag?.Tag);
        Assert.Equal("Newer", (await _app.Client.GetJsonAsync(path)).GetProperty("title").GetString());
        Assert.Equal(1, _relay.Lost);
    }

    [Theory]
    [InlineData("\"1\"")]
    [InlineData(null)]
    public async Task A_delete_whose_reply_was_lost_is_a_204(string? ifMatch)
    {
        var (path, _) = await _app.Client.CreateAuditAsync("""{"title":"Gone"}""");
        var (other, _) = await _app.Client.CreateAuditAsync("""{"title":"Stays"}""");
        _relay.LoseAnswerTo("delete from audit");

        Assert.Equal(HttpStatusCode.NoContent, (await _app.Client.SendAsync(HttpMethod.Delete, path, ifMatch: ifMatch)).StatusCode);

        Assert.Equal(1, _relay.Lost);
        await (await _app.Client.GetAsync(path)).ProblemAsync(404, "audit_not_found");
        await (await _app.Client.SendAsync(HttpMethod.Delete, path, ifMatch: ifMatch)).ProblemAsync(404, "audit_not_found");
        Assert.Equal(HttpStatusCode.OK, (await _app.Client.GetAsync(other)).StatusCode);
    }

    [Fact]
    public async Task A_delete_that_lost_a_reply_does_not_claim_what_it_did_not_do()
    {
        _relay.LoseAnswerTo("from audit");
        await (await _app.Client.DeleteAsync("/audits/019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21")).ProblemAsync(404, "audit_not_found");
        Assert.Equal(1, _relay.Lost);

        var (path, _) = await _app.Client.CreateAuditAsync("""{"title":"Stays"}""");
        await _app.Client.SendAsync(HttpMethod.Patch, path, """{"score":1}""");
        _relay.LoseAnswerTo("delete from audit");
        await (await _app.Client.SendAsync(HttpMethod.Delete, path, ifMatch: "\"1\"")).ProblemAsync(412, "precondition_failed");
        Assert.Equal(2, _relay.Lost);
        Assert.Equal(HttpStatusCode.OK, (await _app.Client.GetAsync(path)).StatusCode);
    }

    [Theory]
    [InlineData("set summary_lease_owner = ")]
    [InlineData("set summary = ")]
    public async Task A_summary_whose_reply_was_lost_costs_one_call_and_is_stored_once(string statement)
    {
        var (path, _) = await _app.Client.CreateAuditAsync("""{"title":"Knee"}""");
        _relay.LoseAnswerTo(statement);

        var response = await _app.Client.SendAsync(HttpMethod.Post, path + "/summary");

        Assert.Equal("The stub's answer.", (await response.JsonAsync()).GetProperty("summary").GetString());
        Assert.Equal("\"2\"", response.Headers.ETag?.Tag);
        Assert.Equal("\"2\"", (await _app.Client.GetAsync(path)).Headers.ETag?.Tag);
        Assert.Single(_model.Requests);
        Assert.Equal(1, _relay.Lost);
    }

    [Fact]
    public async Task A_summary_of_details_that_changed_is_a_409_also_when_that_reply_was_lost()
    {
        var (path, _) = await _app.Client.CreateAuditAsync("""{"title":"Knee"}""");
        var gate = _model.AnswerInTwo("About", "the old.");
        var summary = _app.Client.SendAsync(HttpMethod.Post, path + "/summary");
        await gate.WhenReached;
        await _app.Client.SendAsync(HttpMethod.Patch, path, """{"details":{"new":1}}""");
        _relay.LoseAnswerTo("set summary_lease_owner = null");
        gate.Open();

        await (await summary).ProblemAsync(409, "audit_changed");

        Assert.Equal(1, _relay.Lost);
        Assert.Single(_model.Requests);
        Assert.Equal(JsonValueKind.Null, (await _app.Client.GetJsonAsync(path)).GetProperty("summary").ValueKind);
    }
}
