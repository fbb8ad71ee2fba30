using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json;

namespace ChatBackend.Tests.Features.Audits;

public sealed class AuditRecordTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    private const string Unknown = "/audits/019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21";

    [Fact]
    public async Task A_record_with_only_a_title_gets_the_defaults_and_an_address()
    {
        var response = await app.Client.SendAsync(HttpMethod.Post, "/audits", """{"title":"Gait of the left leg"}""");

        Assert.Equal(HttpStatusCode.Created, response.StatusCode);
        Assert.Equal("\"1\"", response.Headers.ETag?.Tag);
        var audit = await response.JsonAsync();
        Assert.Equal($"/audits/{audit.GetProperty("id").GetString()}", response.Headers.Location?.ToString());
        Assert.Equal(7, Guid.Parse(audit.GetProperty("id").GetString()!).Version);
        Assert.Equal("pending", audit.GetProperty("status").GetString());
        Assert.Equal("{}", audit.GetProperty("details").GetRawText());
        Assert.Equal(JsonValueKind.Null, audit.GetProperty("score").ValueKind);
        Assert.EndsWith("Z", audit.GetProperty("created_at").GetString(), StringComparison.Ordinal);
        Assert.Equal(audit.GetRawText(), (await app.Client.GetJsonAsync(response.Headers.Location!.ToString())).GetRawText());
    }

    [Theory]
    [InlineData("""{"deep":{"er":[{"est":[[],{}]}]},"t":true,"n":null}""", null)]
    [InlineData("""{"n":[12345678901234567890,0.12345678901234567890123456789,-9007199254740993,1.50]}""", null)]
    [InlineData("""{"text":"اردو हिन्दी \ud83e\udd16 \u0001 \"quoted\" \\ /","ключ":"й"}""", null)]
    // What is said about spelling: keys in jsonb's order, the last of duplicates, exponents written out.
    [InlineData("""{"b":1,"aa":2,"a":3}""", """{"a":3,"b":1,"aa":2}""")]
    [InlineData("""{"a":1,"a":2}""", """{"a":2}""")]
    [InlineData("""{"a":1e2,"b":25E-1}""", """{"a":100,"b":2.5}""")]
    public async Task Details_come_back_with_the_same_values(string details, string? expected)
    {
        var (path, _) = await app.Client.CreateAuditAsync($$"""{"title":"x","details":{{details}}}""");

        var read = (await app.Client.GetJsonAsync(path)).GetProperty("details");

        Assert.True(JsonElement.DeepEquals(JsonElement.Parse(expected ?? details), read), read.GetRawText());
        if (expected is not null)
            Assert.Equal(expected, read.GetRawText());
        else if (details.StartsWith("""{"n""", StringComparison.Ordinal))
            Assert.Equal(details, read.GetRawText());
    }

    [Theory]
    [InlineData("""{"title":""}""", "title")]
    [InlineData("""{"title":"  "}""", "title")]
    [InlineData("""{}""", "title")]
    [InlineData("""{"title":5}""", "title")]
    [InlineData("""{"title":"a\u0000b"}""", "title")]
    [InlineData("""{"title":"a\ud800b"}""", "title")]
    [InlineData("""{"title":"x","status":"done"}""", "status")]
    [InlineData("""{"title":"x","status":1}""", "status")]
    [InlineData("""{"title":"x","score":100.01}""", "score")]
    [InlineData("""{"title":"x","score":-1}""", "score")]
    [InlineData("""{"title":"x","score":"50"}""", "score")]
    [InlineData("""{"title":"x","summary":"a\u0000"}""", "summary")]
    [InlineData("""{"title":"x","details":[]}""", "details")]
    [InlineData("""{"title":"x","details":"text"}""", "details")]
    [InlineData("""{"title":"x","details":{"a":["b\u0000"]}}""", "details")]
    [InlineData("""{"title":"x","details":{"a\u0000":1}}""", "details")]
    [InlineData("""{"title":"x","details":{"a":"\udc00"}}""", "details")]
    [InlineData("""{"title":"x","details":{"a":1e400000}}""", "details")]
    [InlineData("""{"title":"x","details":{"a":1e-20000}}""", "details")]
    [InlineData("""{"title":"x","details":{"a":-1e99999999999999999999}}""", "details")]
    public async Task What_is_not_valid_names_its_field_and_stores_nothing(string json, string field)
    {
        var before = await app.ScalarAsync<long>("select count(*) from audit");

        await (await app.Client.SendAsync(HttpMethod.Post, "/audits", json)).InvalidAsync(field);

        Assert.Equal(before, await app.ScalarAsync<long>("select count(*) from audit"));
    }

    [Fact]
    public async Task Details_may_take_64_KiB_of_compact_text_and_not_a_byte_more()
    {
        // {"a":"…"} is eight bytes around its text; é is two, however it was sent.
        string Body(int bytes) => $$"""{"title":"x",  "details": { "a" : "{{new string('x', bytes - 10)}}\u00e9" } }""";

        Assert.Equal(HttpStatusCode.Created, (await app.Client.SendAsync(HttpMethod.Post, "/audits", Body(65536))).StatusCode);
        await (await app.Client.SendAsync(HttpMethod.Post, "/audits", Body(65537))).InvalidAsync("details");
    }

    [Fact]
    public async Task A_title_is_counted_in_characters_not_in_code_units()
    {
        var (_, audit) = await app.Client.CreateAuditAsync($$"""{"title":"{{string.Concat(Enumerable.Repeat("🤖", 200))}}"}""");
        Assert.Equal(400, audit.GetProperty("title").GetString()!.Length);

        // The longest that NFC can make of a title still fits into the index.
        await app.Client.CreateAuditAsync($$"""{"title":"{{string.Concat(Enumerable.Repeat("\U0001D160", 200))}}"}""");
        await (await app.Client.SendAsync(HttpMethod.Post, "/audits", $$"""{"title":"{{new string('x', 201)}}"}""")).InvalidAsync("title");
    }

    [Theory]
    [InlineData("POST", "", "body")]
    [InlineData("POST", "null", "body")]
    [InlineData("PUT", "null", "body")]
    [InlineData("POST", "[]", "body")]
    [InlineData("POST", "7", "body")]
    [InlineData("PATCH", "", "body")]
    [InlineData("PATCH", "null", "body")]
    [InlineData("POST", """{"title":""}""", "title")]
    [InlineData("POST", """{"title":"a\u0000"}""", "title")]
    [InlineData("POST", """{"title":1}""", "title")]
    [InlineData("POST", """{"title":"x","score":101}""", "score")]
    [InlineData("PATCH", """{"summary":"\u0000"}""", "summary")]
    public async Task The_detail_of_a_single_fault_says_which_field_it_is_by_itself(string method, string json, string field)
    {
        var path = method == "POST" ? "/audits" : (await app.Client.CreateAuditAsync("""{"title":"T"}""")).Path;

        var problem = await (await app.Client.SendAsync(new(method), path, json)).ProblemAsync(400, "invalid_request");

        Assert.StartsWith($"{field} ", problem.GetProperty("detail").GetString(), StringComparison.Ordinal);
        Assert.Equal([field], problem.GetProperty("errors").EnumerateObject().Select(e => e.Name));
    }

    [Fact]
    public async Task Invalid_UTF8_is_refused_in_a_record()
    {
        foreach (var (before, field) in new[] { ("""{"title":"x""", "title"), ("""{"title":"x","details":{"a":"x""", "details") })
        {
            using var body = new ByteArrayContent([.. Encoding.UTF8.GetBytes(before), 0xFF, .. Encoding.UTF8.GetBytes(field == "title" ? "\"}" : "\"}}")]);
            body.Headers.ContentType = new("application/json");
            await (await app.Client.PostAsync("/audits", body)).InvalidAsync(field);
        }
    }

    [Fact]
    public async Task Details_may_be_nested_32_levels_deep_and_are_listed()
    {
        var (path, _) = await app.Client.CreateAuditAsync($$"""{"title":"Deep","details":{{Nested(32)}}}""");
        Assert.Equal(HttpStatusCode.OK, (await app.Client.SendAsync(HttpMethod.Put, path, $$"""{"title":"Deep","details":{{Nested(32)}}}""")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await app.Client.SendAsync(HttpMethod.Patch, path, $$"""{"details":{{Nested(32)}}}""")).StatusCode);

        Assert.Contains(Nested(32), await app.Client.GetStringAsync("/audits?q=deep"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(33)]
    [InlineData(62)]
    [InlineData(63)]
    public async Task Details_that_are_nested_deeper_are_refused_and_named(int depth)
    {
        var (path, before) = await app.Client.CreateAuditAsync("""{"title":"T"}""");

        foreach (var (method, route) in new[] { ("POST", "/audits"), ("PUT", path), ("PATCH", path) })
            await (await app.Client.SendAsync(new(method), route, $$"""{"title":"x","details":{{Nested(depth)}}}""")).InvalidAsync("details");

        Assert.Equal(before.GetRawText(), (await app.Client.GetJsonAsync(path)).GetRawText());
    }

    [Theory]
    [InlineData(64)]
    [InlineData(1_000)]
    [InlineData(100_000)]
    public async Task A_body_that_is_nested_deeper_than_any_may_be_costs_nothing(int depth)
    {
        var (path, before) = await app.Client.CreateAuditAsync("""{"title":"T"}""");
        var started = Stopwatch.GetTimestamp();

        foreach (var (method, route) in new[] { ("POST", "/audits"), ("PUT", path), ("PATCH", path) })
            await (await app.Client.SendAsync(new(method), route, $$"""{"title":"x","details":{{Nested(depth)}}}""")).ProblemAsync(400, "malformed_json");

        // To read it all would take a minute of a core.
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(30));
        Assert.Equal(before.GetRawText(), (await app.Client.GetJsonAsync(path)).GetRawText());
    }

    [Theory]
    [InlineData(62)]
    [InlineData(3_000)]
    public async Task A_record_that_is_nested_deeper_all_the_same_breaks_no_answer(int depth)
    {
        var (path, _) = await app.Client.CreateAuditAsync($$"""{"title":"Too deep {{depth}}"}""");
        await app.ExecuteAsync("update audit set details = @details::jsonb where title = @title", new { details = Nested(depth), title = $"Too deep {depth}" });

        Assert.Contains(Nested(depth), await app.Client.GetStringAsync(path), StringComparison.Ordinal);
        Assert.Contains(Nested(depth), await app.Client.GetStringAsync("/audits?page_size=50"), StringComparison.Ordinal);
        Assert.Contains(Nested(depth), await app.Client.GetStringAsync($"/audits?q={depth}"), StringComparison.Ordinal);
        Assert.Contains(Nested(depth), await (await app.Client.SendAsync(HttpMethod.Post, path + "/summary")).Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await (await app.Client.SendAsync(HttpMethod.Patch, path, """{"status":"failed"}""")).InvalidAsync("details");
        Assert.Equal(HttpStatusCode.OK, (await app.Client.SendAsync(HttpMethod.Patch, path, """{"details":{"a":null}}""")).StatusCode);
    }

    [Theory]
    [InlineData("GET", "", null)]
    [InlineData("PUT", "", """{"title":"x"}""")]
    [InlineData("PATCH", "", """{"title":"x"}""")]
    [InlineData("DELETE", "", null)]
    [InlineData("POST", "/summary", null)]
    public async Task An_unknown_id_is_a_404_and_one_that_is_no_UUID_a_400(string method, string suffix, string? json)
    {
        await (await app.Client.SendAsync(new(method), Unknown + suffix, json)).ProblemAsync(404, "audit_not_found");
        await (await app.Client.SendAsync(new(method), Unknown + suffix, json, ifMatch: method is "GET" or "POST" ? null : "\"1\"")).ProblemAsync(404, "audit_not_found");
        foreach (var id in (string[])["1", "019a7c1e5b0e7c3a9f520d3b8a6f4e21", "{019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21}", "%20019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21"])
            await (await app.Client.SendAsync(new(method), $"/audits/{id}{suffix}", json)).InvalidAsync("id");
    }

    [Fact]
    public async Task Put_replaces_all_and_sets_defaults_for_what_is_left_out()
    {
        var (path, before) = await app.Client.CreateAuditAsync("""{"title":"Before","status":"failed","score":12.5,"summary":"s","details":{"a":1}}""");
        var (other, _) = await app.Client.CreateAuditAsync("""{"title":"Other"}""");

        var response = await app.Client.SendAsync(HttpMethod.Put, path, """{"title":"After"}""");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("\"2\"", response.Headers.ETag?.Tag);
        var after = await app.Client.GetJsonAsync(path);
        Assert.Equal(("After", "pending", "{}"), (after.GetProperty("title").GetString(), after.GetProperty("status").GetString(), after.GetProperty("details").GetRawText()));
        Assert.Equal(JsonValueKind.Null, after.GetProperty("score").ValueKind);
        Assert.Equal(JsonValueKind.Null, after.GetProperty("summary").ValueKind);
        Assert.Equal(before.GetProperty("created_at").GetString(), after.GetProperty("created_at").GetString());
        Assert.True(after.GetProperty("updated_at").GetDateTimeOffset() > before.GetProperty("updated_at").GetDateTimeOffset());
        Assert.Equal("Other", (await app.Client.GetJsonAsync(other)).GetProperty("title").GetString());
    }

    [Theory]
    [InlineData("application/merge-patch+json")]
    [InlineData("application/json")]
    public async Task Patch_merges_as_RFC_7396_says(string mediaType)
    {
        var (path, _) = await app.Client.CreateAuditAsync(
            """{"title":"T","status":"completed","score":1,"details":{"keep":12345678901234567890,"drop":1,"in":{"x":1,"y":2},"list":[1,2]}}""");

        var response = await app.Client.SendAsync(
            HttpMethod.Patch, path, """{"score":null,"id":"ignored","details":{"drop":null,"in":{"y":null,"z":{"q":null,"r":3}},"list":[3]}}""", mediaType: mediaType);

        var after = await response.JsonAsync();
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(("T", "completed"), (after.GetProperty("title").GetString(), after.GetProperty("status").GetString()));
        Assert.Equal(JsonValueKind.Null, after.GetProperty("score").ValueKind);
        Assert.Equal("""{"in":{"x":1,"z":{"r":3}},"keep":12345678901234567890,"list":[3]}""", after.GetProperty("details").GetRawText());
        Assert.Equal(after.GetRawText(), (await app.Client.GetJsonAsync(path)).GetRawText());
    }

    [Theory]
    [InlineData("""[]""", "body")]
    [InlineData(""" "text" """, "body")]
    [InlineData("""{"title":null}""", "title")]
    [InlineData("""{"status":"done"}""", "status")]
    [InlineData("""{"score":"high"}""", "score")]
    [InlineData("""{"details":[1]}""", "details")]
    [InlineData("""{"score":1,"details":{"a":["\u0000"]}}""", "details")]
    [InlineData("""{"\ud800":1}""", "body")]
    public async Task A_patch_that_does_not_fit_changes_nothing(string patch, string field)
    {
        var (path, before) = await app.Client.CreateAuditAsync("""{"title":"T","score":5,"details":{"a":1}}""");

        await (await app.Client.SendAsync(HttpMethod.Patch, path, patch)).InvalidAsync(field);

        Assert.Equal(before.GetRawText(), (await app.Client.GetJsonAsync(path)).GetRawText());
    }

    [Fact]
    public async Task A_patch_cannot_make_details_larger_than_a_post_could()
    {
        var (path, before) = await app.Client.CreateAuditAsync($$$"""{"title":"T","details":{"a":"{{{new string('x', 40_000)}}}"}}""");

        await (await app.Client.SendAsync(HttpMethod.Patch, path, $$$"""{"details":{"b":"{{{new string('x', 40_000)}}}"}}""")).InvalidAsync("details");

        Assert.Equal(before.GetRawText(), (await app.Client.GetJsonAsync(path)).GetRawText());
    }

    [Fact]
    public async Task Another_media_type_is_a_415() =>
        await (await app.Client.SendAsync(HttpMethod.Post, "/audits", "title=x", mediaType: "application/x-www-form-urlencoded")).ProblemAsync(415, "unsupported_media_type");

    [Fact]
    public async Task A_database_that_dropped_its_connections_costs_no_request()
    {
        var (path, _) = await app.Client.CreateAuditAsync("""{"title":"T"}""");
        foreach (var (method, route, json) in new (string, string, string?)[]
        {
            ("GET", path, null), ("GET", "/audits", null), ("POST", "/audits", """{"title":"U"}"""), ("PUT", path, """{"title":"V"}"""),
            ("PATCH", path, """{"title":"W"}"""), ("POST", path + "/summary", null), ("DELETE", path, null),
        })
        {
            await app.ExecuteAsync("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()");

            var response = await app.Client.SendAsync(new(method), route, json);

            Assert.True(response.IsSuccessStatusCode, $"{method} {route}: {await response.Content.ReadAsStringAsync()}");
        }
    }

    [Fact]
    public async Task Delete_takes_one_record_and_only_once()
    {
        var (path, _) = await app.Client.CreateAuditAsync("""{"title":"Gone"}""");
        var (other, _) = await app.Client.CreateAuditAsync("""{"title":"Stays"}""");

        Assert.Equal(HttpStatusCode.NoContent, (await app.Client.DeleteAsync(path)).StatusCode);

        await (await app.Client.DeleteAsync(path)).ProblemAsync(404, "audit_not_found");
        await (await app.Client.GetAsync(path)).ProblemAsync(404, "audit_not_found");
        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync(other)).StatusCode);
    }

    /// <summary>An object of so many levels, itself the first.</summary>
    private static string Nested(int depth) => $$"""{"a":{{new string('[', depth - 1)}}{{new string(']', depth - 1)}}}""";
}
