using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ChatBackend.Infrastructure.Search;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Chat.Mcp;

/// <summary>The book's MCP server, asked over real HTTP by hand-written messages and by the clients of npm.</summary>
public sealed class PostMcpTests(ChatApp app) : IClassFixture<ChatApp>
{
    private const string Topics = "book:///ros2/topics.md";

    [Fact]
    public async Task A_client_begins_lists_the_tools_and_is_told_how_they_are_called()
    {
        var (result, response) = await SendAsync("initialize", new { protocolVersion = "2025-06-18", capabilities = new { }, clientInfo = new { name = "test", version = "1" } });

        Assert.Equal("2025-06-18", result.GetProperty("protocolVersion").GetString());
        Assert.Superset(new HashSet<string> { "resources", "tools" }, result.GetProperty("capabilities").EnumerateObject().Select(c => c.Name).ToHashSet());
        Assert.True(Guid.TryParse(response.Headers.GetValues("Mcp-Session-Id").Single(), out _));
        Assert.Equal(HttpStatusCode.Accepted, (await PostAsync(new { jsonrpc = "2.0", method = "notifications/initialized" })).StatusCode);

        // Each request may reach another replica, so none needs what came before it.
        var (list, _) = await SendAsync("tools/list", new { });
        var tools = list.GetProperty("tools").EnumerateArray().ToDictionary(t => t.GetProperty("name").GetString()!);
        Assert.Equal(["ask_book", "search_book"], tools.Keys.Order());
        Assert.All(tools.Values, t => Assert.Equal("object", t.GetProperty("outputSchema").GetProperty("type").GetString()));
        var input = tools["search_book"].GetProperty("inputSchema");
        Assert.Equal(["query"], input.GetProperty("required").EnumerateArray().Select(r => r.GetString()));
        Assert.Equal(["query", "limit"], input.GetProperty("properties").EnumerateObject().Select(p => p.Name));
        Assert.Equal(20, input.GetProperty("properties").GetProperty("limit").GetProperty("maximum").GetInt32());
        Assert.Equal(["question"], tools["ask_book"].GetProperty("inputSchema").GetProperty("properties").EnumerateObject().Select(p => p.Name));
    }

    [Fact]
    public async Task Search_book_gives_the_passages_and_nothing_that_the_book_lacks()
    {
        var (found, _) = await CallAsync("search_book", new { query = "how do nodes talk", limit = 1 });
        var (nothing, _) = await CallAsync("search_book", new { query = " zzyzx ", limit = default(int?) });

        var passage = Assert.Single(found.GetProperty("structuredContent").GetProperty("passages").EnumerateArray());
        Assert.Equal("How nodes talk", passage.GetProperty("heading").GetString());
        Assert.Equal(Topics, passage.GetProperty("resource").GetString());
        // Without SITE_BASE_URL the address is not known.
        Assert.Equal(JsonValueKind.Null, passage.GetProperty("url").ValueKind);
        Assert.Contains("one publishes messages", found.GetProperty("content")[0].GetProperty("text").GetString());
        Assert.Empty(nothing.GetProperty("structuredContent").GetProperty("passages").EnumerateArray());
        Assert.False(nothing.TryGetProperty("isError", out var isError) && isError.GetBoolean());
    }

    [Theory]
    [InlineData("search_book", """{}""", "query must be text of 1 to 1000 characters after trimming.")]
    [InlineData("search_book", """{"query":7}""", "query must be text of 1 to 1000 characters after trimming.")]
    [InlineData("search_book", """{"query":"  "}""", "query must be text of 1 to 1000 characters")]
    [InlineData("search_book", """{"query":"nodes","limit":21}""", "limit must be a whole number from 1 to 20.")]
    [InlineData("search_book", """{"query":"nodes","limit":0}""", "limit must be a whole number from 1 to 20.")]
    [InlineData("search_book", """{"query":"nodes","limit":"6"}""", "limit must be a whole number from 1 to 20.")]
    [InlineData("ask_book", """{"question":""}""", "question must be text of 1 to 4000 characters after trimming.")]
    [InlineData("ask_book", """{}""", "question must be text of 1 to 4000 characters")]
    public async Task A_call_with_a_bad_argument_is_told_which(string tool, string arguments, string fault)
    {
        var (result, _) = await CallAsync(tool, JsonElement.Parse(arguments));

        Assert.True(result.GetProperty("isError").GetBoolean());
        Assert.Contains(fault, result.GetProperty("content")[0].GetProperty("text").GetString());
        Assert.Equal("invalid_request", result.GetProperty("_meta").GetProperty("chatbackend/problem").GetProperty("code").GetString());
        Assert.False(result.TryGetProperty("structuredContent", out _));
    }

    [Fact]
    public async Task Ask_book_answers_with_citations_in_a_conversation_of_its_own_that_chat_can_read()
    {
        app.Model.Answer("Over topics [1].");
        var (result, _) = await CallAsync("ask_book", new { question = "How do nodes talk to each other?" });

        var answer = result.GetProperty("structuredContent");
        Assert.Equal("Over topics [1].", answer.GetProperty("answer").GetString());
        Assert.Equal("How nodes talk", Assert.Single(answer.GetProperty("citations").EnumerateArray()).GetProperty("heading").GetString());
        Assert.Equal("Over topics [1].\n\nSources:\n[1] Topics › How nodes talk", result.GetProperty("content")[0].GetProperty("text").GetString());
        var session = answer.GetProperty("session_id").GetString();
        var messages = (await (await app.Client.GetAsync($"/chat/sessions/{session}/messages")).JsonAsync()).GetProperty("items");
        Assert.Equal(["How do nodes talk to each other?", "Over topics [1]."], messages.EnumerateArray().Select(m => m.GetProperty("content").GetString()));
        var rated = await app.Client.PutAsJsonAsync($"/chat/messages/{answer.GetProperty("message_id").GetString()}/feedback", new { rating = "up" });
        Assert.Equal(HttpStatusCode.OK, rated.StatusCode);
    }

    [Fact]
    public async Task A_client_that_goes_away_stops_the_model()
    {
        var question = $"How do nodes talk? {Guid.NewGuid()}";
        var gate = app.Model.AnswerInTwo("Over topics", " [1].");
        using var gone = new CancellationTokenSource();
        var call = SendAsync("tools/call", new { name = "ask_book", arguments = new { question } }, cancellationToken: gone.Token);
        await gate.WhenReached;

        await gone.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => call);
        await Until.TrueAsync(async () => await StateAsync(question) == "stopped", "The turn was not stopped.");
    }

    [Fact]
    public async Task A_cancelled_question_is_stopped_though_its_connection_stays_open()
    {
        var question = $"How do nodes talk? {Guid.NewGuid()}";
        var session = $"{Guid.NewGuid()}";
        var gate = app.Model.AnswerInTwo("Over topics", " [1].");
        var call = SendAsync("tools/call", new { name = "ask_book", arguments = new { question } }, id: 7, session: session);
        await gate.WhenReached;

        // Another session's request of the same id is not this one.
        await PostAsync(new { jsonrpc = "2.0", method = "notifications/cancelled", @params = new { requestId = 7 } }, $"{Guid.NewGuid()}");
        Assert.Equal("running", await StateAsync(question));
        await PostAsync(new { jsonrpc = "2.0", method = "notifications/cancelled", @params = new { requestId = 7 } }, session);

        var (result, _) = await call;
        Assert.Equal("Over topics", result.GetProperty("structuredContent").GetProperty("answer").GetString());
        Assert.Equal("stopped", await StateAsync(question));
    }

    [Fact]
    public async Task A_repeated_question_of_a_session_is_answered_once_and_a_new_one_with_the_same_id_too()
    {
        var session = $"{Guid.NewGuid()}";
        app.Model.Answer("First.").Answer("Second.");

        var first = await AskAsync("What is a topic?");
        var repeat = await AskAsync("What is a topic?");
        var other = await AskAsync("What is a service?");

        Assert.Equal(first.GetProperty("message_id").GetString(), repeat.GetProperty("message_id").GetString());
        Assert.Equal("Second.", other.GetProperty("answer").GetString());
        Assert.NotEqual(first.GetProperty("session_id").GetString(), other.GetProperty("session_id").GetString());

        async Task<JsonElement> AskAsync(string question) =>
            (await SendAsync("tools/call", new { name = "ask_book", arguments = new { question } }, id: 3, session: session)).Result.GetProperty("structuredContent");
    }

    [Fact]
    public async Task A_failed_answer_is_a_result_that_says_so()
    {
        app.Model.Fail(400, code: "invalid_request_error");
        var (result, _) = await CallAsync("ask_book", new { question = "How do nodes talk?" });

        Assert.True(result.GetProperty("isError").GetBoolean());
        Assert.StartsWith("model_", result.GetProperty("_meta").GetProperty("chatbackend/problem").GetProperty("code").GetString());
        Assert.DoesNotContain("UPSTREAM-TEXT", result.GetRawText(), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_client_that_asks_for_progress_gets_it_while_the_answer_is_written()
    {
        app.Model.Answer("Over topics [1].");
        var response = await PostAsync(new
        {
            jsonrpc = "2.0",
            id = 1,
            method = "tools/call",
            @params = new { name = "ask_book", arguments = new { question = "How do nodes talk?" }, _meta = new { progressToken = "p" } },
        });

        var messages = await MessagesAsync(response);
        var progress = messages.Where(m => m.TryGetProperty("method", out var method) && method.ValueEquals("notifications/progress")).Select(m => m.GetProperty("params")).ToArray();
        Assert.NotEmpty(progress);
        Assert.All(progress, p => Assert.Equal("p", p.GetProperty("progressToken").GetString()));
        Assert.Contains(progress, p => p.GetProperty("message").ValueEquals("Writing the answer"));
        Assert.True(messages[^1].TryGetProperty("result", out _));
    }

    [Fact]
    public async Task Pages_are_listed_in_the_order_of_the_book_and_read_as_Markdown()
    {
        var (list, _) = await SendAsync("resources/list", new { });
        var (read, _) = await SendAsync("resources/read", new { uri = Topics });
        var (_, missing) = await PostForErrorAsync("resources/read", new { uri = "book:///nowhere.md" });

        Assert.Equal(
            ["book:///motion/balance.md", "book:///ros2/services.md", Topics, "book:///safety/injection.md"],
            list.GetProperty("resources").EnumerateArray().Select(r => r.GetProperty("uri").GetString()));
        var page = Assert.Single(read.GetProperty("contents").EnumerateArray());
        Assert.Equal("text/markdown", page.GetProperty("mimeType").GetString());
        Assert.StartsWith("# Topics\n\n## How nodes talk\n\nTwo ROS 2 nodes talk", page.GetProperty("text").GetString());
        Assert.Equal(-32002, missing.GetProperty("code").GetInt32());
    }

    [Fact]
    public async Task A_long_book_is_listed_page_by_page_and_a_long_page_is_cut()
    {
        await using var own = new ChatApp();
        await own.InitializeAsync();
        var index = own.Services.GetRequiredService<IPassageIndex>();
        for (var page = 0; page < 100; page++)
            await index.ReplaceAsync(new($"a/{page:000}.md", $"Page {page}", $"/docs/a/{page:000}", "hash", [new(0, [$"Heading {page}"], "heading", $"Text {page}.")]), default);
        await index.ReplaceAsync(new("a/long.md", "Long", "/docs/a/long", "hash", [.. Enumerable.Range(0, 201).Select(i => new Chunk(i, ["Long", $"Part {i}"], $"part-{i}", $"Text {i}."))]), default);

        var first = await SendAsync(new { });
        var rest = await SendAsync(new { cursor = first.GetProperty("result").GetProperty("nextCursor").GetString() });
        var wrong = await SendAsync(new { cursor = "x" });
        var read = await SendAsync(new { uri = "book:///a/long.md" }, "resources/read");

        Assert.Equal(100, first.GetProperty("result").GetProperty("resources").GetArrayLength());
        Assert.False(rest.GetProperty("result").TryGetProperty("nextCursor", out _));
        Assert.Equal(105, ((JsonElement[])[first, rest]).SelectMany(r => r.GetProperty("result").GetProperty("resources").EnumerateArray()).Select(r => r.GetProperty("uri").GetString()).Distinct().Count());
        Assert.Equal(-32602, wrong.GetProperty("error").GetProperty("code").GetInt32());
        var text = read.GetProperty("result").GetProperty("contents")[0].GetProperty("text").GetString()!;
        Assert.Contains("Text 199.", text, StringComparison.Ordinal);
        Assert.DoesNotContain("Text 200.", text, StringComparison.Ordinal);
        Assert.EndsWith("(The page goes on)\n", text, StringComparison.Ordinal);

        async Task<JsonElement> SendAsync(object parameters, string method = "resources/list") =>
            (await MessagesAsync(await own.Client.PostAsJsonAsync("/mcp", new { jsonrpc = "2.0", id = 1, method, @params = parameters })))[^1];
    }

    [Fact]
    public async Task A_tool_that_fails_is_a_result_with_the_code_of_the_failure()
    {
        await using var own = new ChatApp();
        await own.InitializeAsync();
        await own.ExecuteAsync("alter table passages rename to no_passages");

        var response = await own.Client.PostAsJsonAsync(
            "/mcp", new { jsonrpc = "2.0", id = 1, method = "tools/call", @params = new { name = "search_book", arguments = new { query = "how do nodes talk" } } });

        var result = (await MessagesAsync(response))[^1].GetProperty("result");
        Assert.True(result.GetProperty("isError").GetBoolean());
        Assert.Equal("database_error", result.GetProperty("_meta").GetProperty("chatbackend/problem").GetProperty("code").GetString());
    }

    [Theory]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/list"[""", -32700)]
    [InlineData("""[{"jsonrpc":"2.0","id":1,"method":"ping"}]""", -32600)]
    [InlineData("""{"id":1,"method":"ping"}""", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":null,"method":"ping"}""", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":[]}""", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask_book","arguments":{"question":"a\u0000b"}}}""", -32600)]
    [InlineData("""{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"ask_book","arguments":{"question":"a\ud800"}}}""", -32600)]
    public async Task What_is_no_message_is_refused_with_a_JSON_RPC_error(string body, int code)
    {
        var response = await app.Client.PostAsync("/mcp", new StringContent(body, null, "application/json"));

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        var error = await response.JsonAsync();
        Assert.Equal("2.0", error.GetProperty("jsonrpc").GetString());
        Assert.Equal(code, error.GetProperty("error").GetProperty("code").GetInt32());
        Assert.NotEmpty(error.GetProperty("error").GetProperty("message").GetString()!);
    }

    [Fact]
    public async Task An_unknown_method_tool_or_version_is_refused()
    {
        var (_, method) = await PostForErrorAsync("nothing/here", new { });
        var (_, tool) = await PostForErrorAsync("tools/call", new { name = "delete_book" });

        Assert.Equal(-32601, method.GetProperty("code").GetInt32());
        Assert.Equal(-32602, tool.GetProperty("code").GetInt32());
        foreach (var message in (object[])[new { jsonrpc = "2.0", id = 1, method = "ping" }, new { jsonrpc = "2.0", id = 1, method = "tools/call", @params = new { name = "ask_book", arguments = new { question = "What?" } } }])
        {
            var version = await PostAsync(message, version: "1999-01-01");
            Assert.Equal(HttpStatusCode.BadRequest, version.StatusCode);
            var error = await version.JsonAsync();
            Assert.Equal((1, -32022), (error.GetProperty("id").GetInt32(), error.GetProperty("error").GetProperty("code").GetInt32()));
            Assert.Contains("2025-06-18", error.GetProperty("error").GetProperty("data").GetProperty("supported").EnumerateArray().Select(v => v.GetString()));
        }
    }

    [Fact]
    public async Task There_is_no_stream_without_a_request_and_no_session_to_end()
    {
        foreach (var (method, path, status) in ((HttpMethod, string, HttpStatusCode)[])
        [
            (HttpMethod.Get, "/mcp", HttpStatusCode.MethodNotAllowed), (HttpMethod.Delete, "/mcp", HttpStatusCode.MethodNotAllowed), (HttpMethod.Get, "/mcp/sse", HttpStatusCode.NotFound),
        ])
        {
            var response = await app.Client.SendAsync(new(method, path));
            Assert.Equal((status, "application/json"), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
            Assert.Equal(-32000, (await response.JsonAsync()).GetProperty("error").GetProperty("code").GetInt32());
        }
    }

    [Fact]
    public async Task A_quiet_answer_gets_comments_that_keep_its_connection_open()
    {
        await using var own = new ChatApp { Clock = new ImpatientClock() };
        await own.InitializeAsync();
        var gate = own.Model.AnswerInTwo("Over", " topics.");
        var message = new { jsonrpc = "2.0", id = 1, method = "tools/call", @params = new { name = "ask_book", arguments = new { question = "How do nodes talk?" } } };
        var request = new HttpRequestMessage(HttpMethod.Post, "/mcp") { Content = JsonContent.Create(message) };
        using var response = await own.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());

        Assert.Equal(": keep-alive", await lines.ReadLineAsync());
        gate.Open();

        Assert.Contains("Over topics.", await lines.ReadToEndAsync(), StringComparison.Ordinal);
    }

    private Task<(JsonElement Result, HttpResponseMessage Response)> CallAsync(string tool, object arguments) => SendAsync("tools/call", new { name = tool, arguments });

    private async Task<(JsonElement Result, HttpResponseMessage Response)> SendAsync(
        string method, object parameters, int id = 1, string? session = null, CancellationToken cancellationToken = default)
    {
        var response = await PostAsync(new { jsonrpc = "2.0", id, method, @params = parameters }, session, cancellationToken: cancellationToken);
        var reply = (await MessagesAsync(response, cancellationToken))[^1];
        Assert.True(reply.TryGetProperty("result", out var result), reply.GetRawText());
        Assert.Equal(id, reply.GetProperty("id").GetInt32());
        return (result, response);
    }

    private async Task<(HttpResponseMessage Response, JsonElement Error)> PostForErrorAsync(string method, object parameters)
    {
        var response = await PostAsync(new { jsonrpc = "2.0", id = 1, method, @params = parameters });
        return (response, (await MessagesAsync(response))[^1].GetProperty("error"));
    }

    private Task<HttpResponseMessage> PostAsync(object message, string? session = null, string? version = null, CancellationToken cancellationToken = default)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/mcp") { Content = JsonContent.Create(message), Headers = { { "Accept", "application/json, text/event-stream" } } };
        if (session is not null)
            request.Headers.Add("Mcp-Session-Id", session);
        if (version is not null)
            request.Headers.Add("Mcp-Protocol-Version", version);
        return app.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    private static async Task<JsonElement[]> MessagesAsync(HttpResponseMessage response, CancellationToken cancellationToken = default)
    {
        var text = await response.Content.ReadAsStringAsync(cancellationToken);
        Assert.True(response.IsSuccessStatusCode, text);
        Assert.Equal("text/event-stream", response.Content.Headers.ContentType?.MediaType);
        return [.. text.Split('\n').Where(line => line.StartsWith("data: ", StringComparison.Ordinal)).Select(line => JsonElement.Parse(line["data: ".Length..]))];
    }

    /// <summary>Waits a tenth of a second where the service waits 15, before a comment.</summary>
    private sealed class ImpatientClock : TimeProvider
    {
        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
            base.CreateTimer(callback, state, dueTime == TimeSpan.FromSeconds(15) ? TimeSpan.FromMilliseconds(100) : dueTime, period);
    }

    private Task<string?> StateAsync(string question) =>
        app.ScalarAsync<string>("select t.state::text from turns as t join messages as m on m.turn_id = t.id where m.content = @question and m.role = 'user'", new { question });
}
