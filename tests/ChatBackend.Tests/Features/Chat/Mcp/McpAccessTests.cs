using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ChatBackend.Tests.Features.Profile;

namespace ChatBackend.Tests.Features.Chat.Mcp;

/// <summary>Who may call the server, and how often.</summary>
public sealed class McpAccessTests : IAsyncLifetime
{
    private readonly ChatApp _app = new()
    {
        ["AUTH_SECRET"] = ProfileApp.Secret,
        ["FRONTEND_URL"] = "https://book.example",
        ["RATE_LIMIT_SEARCH"] = "1",
        ["RATE_LIMIT_CHAT"] = "1",
    };

    public ValueTask InitializeAsync() => _app.InitializeAsync();

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task Limits_are_results_that_a_model_can_read_and_say_when_to_retry()
    {
        _app.Model.Answer("One.");
        await CallAsync("search_book", new { query = "nodes" });
        await CallAsync("ask_book", new { question = "What is a topic?" });

        foreach (var (tool, arguments) in ((string, object)[])[("search_book", new { query = "nodes" }), ("ask_book", new { question = "What is a topic?" })])
        {
            var response = await CallAsync(tool, arguments);
            var result = (await MessageAsync(response)).GetProperty("result");

            Assert.Contains(";r=0;", response.Headers.GetValues("RateLimit").Single(), StringComparison.Ordinal);
            Assert.True(result.GetProperty("isError").GetBoolean());
            var problem = result.GetProperty("_meta").GetProperty("chatbackend/problem");
            Assert.Equal("rate_limited", problem.GetProperty("code").GetString());
            Assert.InRange(problem.GetProperty("retry_after_seconds").GetInt32(), 1, 60);
        }

        var page = await SendAsync(new { jsonrpc = "2.0", id = 1, method = "resources/read", @params = new { uri = "book:///ros2/topics.md" } });
        Assert.Contains("rate_limited", (await MessageAsync(page)).GetProperty("error").GetProperty("message").GetString());
    }

    [Fact]
    public async Task A_readers_question_is_theirs_and_a_bad_token_is_refused_in_the_protocols_shape()
    {
        _app.Model.Answer("Over topics.");
        var answer = (await MessageAsync(await CallAsync("ask_book", new { question = "What is a topic?" }, ProfileApp.Token("alice")))).GetProperty("result");
        var refused = await CallAsync("ask_book", new { question = "What is a topic?" }, "not a token");

        var session = answer.GetProperty("structuredContent").GetProperty("session_id").GetString();
        Assert.Equal("alice", await _app.ScalarAsync<string>("select user_id from chat_sessions where id = @session::uuid", new { session }));
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.NotEmpty(refused.Headers.WwwAuthenticate);
        var error = (await refused.JsonAsync()).GetProperty("error");
        Assert.Equal(-32000, error.GetProperty("code").GetInt32());
        Assert.Equal("invalid_token", error.GetProperty("data").GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("https://book.example", HttpStatusCode.OK)]
    [InlineData("https://elsewhere.example", HttpStatusCode.Forbidden)]
    [InlineData("http://rebound.example", HttpStatusCode.Forbidden)]
    public async Task Only_pages_of_allowed_origins_reach_the_server(string origin, HttpStatusCode status)
    {
        // After DNS rebinding the page's own name is the host, too.
        var response = await SendAsync(new { jsonrpc = "2.0", id = 1, method = "tools/list" }, headers: [("Origin", origin), ("Host", new Uri(origin).Host)]);

        Assert.Equal(status, response.StatusCode);
        Assert.Equal(status == HttpStatusCode.OK ? "mcp-session-id" : null, response.Headers.TryGetValues("Access-Control-Expose-Headers", out var exposed)
            ? string.Join(',', exposed).Split(',').SingleOrDefault(h => h.Trim() == "mcp-session-id")?.Trim() : null);
    }

    [Theory]
    [InlineData("tools/list", "search_book", "Mcp-Method")]
    [InlineData("tools/call", "ask_book", "Mcp-Name")]
    [InlineData("tools/call", "=?base64?c2VhcmNoX2Jvb2s=?=", null)]
    public async Task A_request_that_stands_by_itself_says_the_same_in_its_headers(string method, string name, string? fault)
    {
        var response = await SendAsync(
            new
            {
                jsonrpc = "2.0",
                id = 1,
                method = "tools/call",
                @params = new
                {
                    name = "search_book",
                    arguments = new { query = "nodes" },
                    _meta = new Dictionary<string, object> { ["io.modelcontextprotocol/protocolVersion"] = "2026-07-28", ["io.modelcontextprotocol/clientCapabilities"] = new { } },
                },
            },
            headers: [("Mcp-Protocol-Version", "2026-07-28"), ("Mcp-Method", method), ("Mcp-Name", name)]);

        Assert.Equal(fault is null ? HttpStatusCode.OK : HttpStatusCode.BadRequest, response.StatusCode);
        if (fault is not null)
            Assert.StartsWith(fault, (await response.JsonAsync()).GetProperty("error").GetProperty("message").GetString());
    }

    [Theory]
    [InlineData("nothing/here", HttpStatusCode.NotFound, -32601)]
    [InlineData("ping", HttpStatusCode.NotFound, -32601)]
    [InlineData("subscriptions/listen", HttpStatusCode.NotFound, -32601)]
    [InlineData("tools/call", HttpStatusCode.OK, -32602)]
    [InlineData("resources/read", HttpStatusCode.OK, -32602)]
    public async Task An_error_of_a_request_that_stands_by_itself_has_the_status_of_its_version(string method, HttpStatusCode status, int code)
    {
        var response = await SendAsync(
            new
            {
                jsonrpc = "2.0",
                id = "a",
                method,
                @params = new
                {
                    name = "delete_book",
                    uri = "book:///nowhere.md",
                    arguments = new { },
                    notifications = new { },
                    _meta = new Dictionary<string, object> { ["io.modelcontextprotocol/protocolVersion"] = "2026-07-28", ["io.modelcontextprotocol/clientCapabilities"] = new { } },
                },
            },
            headers: [("Mcp-Protocol-Version", "2026-07-28"), ("Mcp-Method", method), ("Mcp-Name", method == "tools/call" ? "delete_book" : "book:///nowhere.md")]);

        var reply = status == HttpStatusCode.OK ? await MessageAsync(response) : await response.JsonAsync();
        Assert.Equal((status, code, "a"), (response.StatusCode, reply.GetProperty("error").GetProperty("code").GetInt32(), reply.GetProperty("id").GetString()));
        Assert.Equal(status == HttpStatusCode.OK ? "text/event-stream" : "application/json", response.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task A_request_with_other_headers_is_told_so_under_its_id()
    {
        var response = await SendAsync(new { jsonrpc = "2.0", id = 5, method = "tools/list" }, headers: [("Mcp-Protocol-Version", "2026-07-28")]);

        var error = await response.JsonAsync();
        Assert.Equal((HttpStatusCode.BadRequest, 5, -32020), (response.StatusCode, error.GetProperty("id").GetInt32(), error.GetProperty("error").GetProperty("code").GetInt32()));
        Assert.StartsWith("Mcp-Method ", error.GetProperty("error").GetProperty("message").GetString());
    }

    private Task<HttpResponseMessage> CallAsync(string tool, object arguments, string? token = null) =>
        SendAsync(new { jsonrpc = "2.0", id = 1, method = "tools/call", @params = new { name = tool, arguments } }, headers: token is null ? [] : [("Authorization", $"Bearer {token}")]);

    private Task<HttpResponseMessage> SendAsync(object message, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/mcp") { Content = JsonContent.Create(message) };
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return _app.Client.SendAsync(request);
    }

    private static async Task<JsonElement> MessageAsync(HttpResponseMessage response) => JsonElement.Parse(
        (await response.Content.ReadAsStringAsync()).Split('\n').Last(line => line.StartsWith("data: ", StringComparison.Ordinal))["data: ".Length..]);
}
