using System.Net;
using System.Net.Http.Json;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Tests.Features.Profile;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Chat.OpenAi;

public sealed class PostCompletionTests(ChatApp app) : IClassFixture<ChatApp>
{
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_client_that_goes_away_stops_the_model(bool stream)
    {
        var message = $"How do nodes talk, {Guid.NewGuid()}?";
        var gate = app.Model.AnswerInTwo("Over", "topics.");
        using var leaving = new CancellationTokenSource();
        var asking = SendAsync(app, new { stream, messages = new[] { new { role = "user", content = message } } }, cancellationToken: leaving.Token);
        await gate.WhenReached;

        if (stream)
            (await asking).Dispose();
        else
            await leaving.CancelAsync();

        await Until.TrueAsync(
            async () => await app.ScalarAsync<string>("select state::text from turns where request ->> 'message' = @message", new { message }) == "stopped",
            "The turn was not stopped.");
        if (!stream)
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);
    }

    [Fact]
    public async Task Earlier_messages_are_history_and_are_not_stored()
    {
        var token = Guid.NewGuid().ToString();
        object[] messages =
        [
            new { role = "system", content = "Obey." },
            new { role = "user", content = $"Which topics do nodes use, {token}?" },
            new { role = "assistant", content = "These." },
            new { role = "tool", content = "A tool's result.", tool_call_id = "1" },
            new { role = "user", content = (object)new[] { new { type = "text", text = $"Which services do the nodes use then, {token}?" } } },
        ];

        var answer = await (await SendAsync(app, new { model = "gpt-5", messages })).JsonAsync();

        Assert.Equal("book", answer.GetProperty("model").GetString());
        Assert.Equal(
            [("user", $"Which topics do nodes use, {token}?"), ("assistant", "These."), ("user", $"Which services do the nodes use then, {token}?")],
            app.Model.Requests.Last(r => r.Messages[^1].Content.Contains(token)).Messages.Skip(2));
        var turnId = answer.GetProperty("turn_id").GetGuid();
        Assert.Equal(2, await app.ScalarAsync<int>("select count(*) from messages where turn_id = @turnId", new { turnId }));
        Assert.Equal(0, await app.ScalarAsync<int>("select count(*) from turns where id = @turnId and request::text like '%These.%'", new { turnId }));
    }

    [Fact]
    public async Task A_citation_is_a_footnote_with_a_link_where_the_site_is_known()
    {
        await using var own = new ChatApp();
        await own.InitializeAsync();
        await own.Services.GetRequiredService<IPassageIndex>().ReplaceAsync(
            new("ros2/topics.md", "Topics [1]", "https://book.example/docs/(ros2)", "another hash", [new Chunk(0, ["How nodes talk"], "how", "Two ROS 2 nodes talk to each other over topics.")]),
            TestContext.Current.CancellationToken);
        own.Model.Answer("Over topics [1].");

        var answer = await (await SendAsync(own, new { messages = new[] { new { role = "user", content = "How do two ROS 2 nodes talk to each other?" } } })).JsonAsync();

        Assert.Equal(
            "Over topics [1].\n\n---\n\n1. [Topics \\[1\\] › How nodes talk](<https://book.example/docs/(ros2)#how>)",
            answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
    }

    [Fact]
    public async Task With_a_key_only_the_key_and_tokens_of_the_sign_in_are_let_in()
    {
        await using var own = new ProfileApp { ["OPENAI_COMPATIBLE_KEY"] = "old key,sk-book" };
        await own.InitializeAsync();
        var reader = ProfileApp.NewReader();

        Assert.Equal(["401 invalid_api_key", "401 invalid_api_key", "401 invalid_api_key", "200", "200", "200"],
            [await AskAsync(null), await AskAsync("Bearer sk-other"), await AskAsync($"Bearer {ProfileApp.Token(reader, TimeSpan.FromMinutes(-1))}"),
             await AskAsync("Bearer sk-book"), await AskAsync("Bearer old key"), await AskAsync($"Bearer {ProfileApp.Token(reader)}")]);
        Assert.Equal(1, await own.ScalarAsync<int>("select count(*) from chat_sessions where user_id = @reader", new { reader }));
        Assert.Equal(2, await own.ScalarAsync<int>("select count(*) from chat_sessions where user_id is null"));

        Task<string> AskAsync(string? authorization) => AnswerOfAsync(own, authorization);
    }

    [Fact]
    public async Task Without_a_key_any_value_is_an_anonymous_reader_but_a_token_that_is_not_valid_is_refused()
    {
        await using var own = new ProfileApp();
        await own.InitializeAsync();

        Assert.Equal(["200", "200", "401 invalid_api_key", "401 invalid_api_key"],
            [await AnswerOfAsync(own, null), await AnswerOfAsync(own, "Bearer sk-any"), await AnswerOfAsync(own, "Basic eDp5"),
             await AnswerOfAsync(own, $"Bearer {ProfileApp.Token("reader", TimeSpan.FromMinutes(-1))}")]);
    }

    [Theory]
    [InlineData("GET", "/v1/nowhere", 404, "not_found")]
    [InlineData("GET", "/v1", 404, "not_found")]
    [InlineData("GET", "/v1/chat/completions", 405, "method_not_allowed")]
    [InlineData("POST", "/v1/models", 405, "method_not_allowed")]
    [InlineData("GET", "/v1/models/gpt-5", 404, "model_not_found")]
    public async Task What_is_not_there_is_an_error_in_OpenAIs_shape(string method, string path, int status, string code)
    {
        var response = await app.Client.SendAsync(new(new(method), path), TestContext.Current.CancellationToken);

        Assert.Equal((status, "application/json"), ((int)response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        var error = (await response.JsonAsync()).GetProperty("error");
        Assert.Equal(("invalid_request_error", code), (error.GetProperty("type").GetString(), error.GetProperty("code").GetString()));
        Assert.NotEmpty(error.GetProperty("message").GetString()!);
    }

    [Fact]
    public async Task The_one_model_is_listed_and_read_by_its_id()
    {
        var listed = (await (await app.Client.GetAsync("/v1/models", TestContext.Current.CancellationToken)).JsonAsync()).GetProperty("data");
        var read = await (await app.Client.GetAsync("/v1/models/book", TestContext.Current.CancellationToken)).JsonAsync();

        Assert.Equal(Assert.Single(listed.EnumerateArray()).GetRawText(), read.GetRawText());
        Assert.Equal("model", read.GetProperty("object").GetString());
    }

    [Fact]
    public async Task A_key_that_is_no_key_or_was_used_before_is_refused()
    {
        var key = $"{Guid.NewGuid()}";
        var first = await (await AskAsync(key, "What is a topic?")).JsonAsync();

        Assert.Equal(first.GetProperty("turn_id").GetGuid(), (await (await AskAsync(key, "What is a topic?")).JsonAsync()).GetProperty("turn_id").GetGuid());
        foreach (var (other, question, status, code) in ((string, string, int, string)[])[(key, "What is a service?", 422, "idempotency_key_reused"), ("1", "What is a topic?", 400, "invalid_request")])
        {
            var refused = await AskAsync(other, question);
            Assert.Equal(status, (int)refused.StatusCode);
            Assert.Equal(code, (await refused.JsonAsync()).GetProperty("error").GetProperty("code").GetString());
        }

        Task<HttpResponseMessage> AskAsync(string key, string question) => SendAsync(app, new { messages = new[] { new { role = "user", content = question } } }, key: key);
    }

    [Fact]
    public async Task A_client_over_its_limit_gets_OpenAIs_error()
    {
        await using var own = new ChatApp { ["RATE_LIMIT_CHAT"] = "1" };
        await own.InitializeAsync();
        var body = new { messages = new[] { new { role = "user", content = "What is a topic?" } } };
        await SendAsync(own, body);

        var response = await SendAsync(own, body);
        var error = (await response.JsonAsync()).GetProperty("error");

        Assert.Equal(HttpStatusCode.TooManyRequests, response.StatusCode);
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.Equal(("rate_limit_error", "rate_limited"), (error.GetProperty("type").GetString(), error.GetProperty("code").GetString()));
    }

    private static async Task<string> AnswerOfAsync(ChatBackendApp app, string? authorization)
    {
        var response = await SendAsync(app, new { messages = new[] { new { role = "user", content = "What is a topic?" } } }, authorization: authorization);
        return response.IsSuccessStatusCode ? $"{(int)response.StatusCode}" : $"{(int)response.StatusCode} {(await response.JsonAsync()).GetProperty("error").GetProperty("code").GetString()}";
    }

    private static async Task<HttpResponseMessage> SendAsync(ChatBackendApp app, object body, string? authorization = null, string? key = null, CancellationToken cancellationToken = default)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = JsonContent.Create(body) };
        if (authorization is not null)
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return await app.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }
}
