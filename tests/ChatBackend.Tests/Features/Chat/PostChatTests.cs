using System.Net;
using System.Net.Sockets;
using System.Text;
using Dapper;

namespace ChatBackend.Tests.Features.Chat;

public sealed class PostChatTests(ChatApp app) : IClassFixture<ChatApp>
{
    private const string Question = "How do two ROS 2 nodes talk to each other?";

    [Fact]
    public async Task A_question_is_answered_with_a_citation_of_the_heading_that_answers_it()
    {
        app.Model.Answer("They exchange messages over topics [1].");

        var answer = await app.AnswerAsync(new { message = Question });

        Assert.Equal("They exchange messages over topics [1].", answer.GetProperty("response").GetString());
        Assert.True(Guid.TryParse(answer.GetProperty("session_id").GetString(), out _));
        Assert.EndsWith("Z", answer.GetProperty("timestamp").GetString());
        var citation = Assert.Single(answer.GetProperty("citations").EnumerateArray());
        Assert.Equal(1, citation.GetProperty("number").GetInt32());
        Assert.Equal("/docs/ros2/topics#how-nodes-talk", citation.GetProperty("url").GetString());
        Assert.Equal("grounded", answer.GetProperty("grounding").GetString());
        Assert.Equal(11, answer.GetProperty("usage").GetProperty("input_tokens").GetInt32());
        Assert.Equal(7, answer.GetProperty("usage").GetProperty("output_tokens").GetInt32());
    }

    [Fact]
    public async Task A_second_turn_sees_the_first()
    {
        var token = Guid.NewGuid().ToString();
        app.Model.Answer($"The first answer {token}.");
        var first = await app.AnswerAsync(new { message = $"Which topics do nodes use, {token}?" });
        var session = first.GetProperty("session_id").GetString();

        var second = await app.AnswerAsync(new { message = $"Which services do the nodes use then, {token}?", session_id = session });

        Assert.Equal(session, second.GetProperty("session_id").GetString());
        var messages = app.Model.Requests.Last(r => r.Messages[^1].Content.Contains(token)).Messages;
        Assert.Equal(
            [("user", $"Which topics do nodes use, {token}?"), ("assistant", $"The first answer {token}."), ("user", $"Which services do the nodes use then, {token}?")],
            messages.Skip(2));
    }

    [Fact]
    public async Task A_session_id_chosen_by_the_client_is_used()
    {
        var session = Guid.NewGuid();

        var answer = await app.AnswerAsync(new { message = Question, session_id = session });

        Assert.Equal(session, answer.GetProperty("session_id").GetGuid());
    }

    [Fact]
    public async Task Question_and_answer_are_stored_as_they_were_shown()
    {
        app.Model.Answer("Over topics [1], not [9].");
        var answer = await app.AnswerAsync(new { message = $"  {Question}\n" });

        await using var database = await app.OpenDatabaseAsync();
        var rows = (await database.QueryAsync<(int Position, string Role, string Content, string Citations)>(
            "select position, role::text, content, citations::text from messages where session_id = @id order by position",
            new { id = answer.GetProperty("session_id").GetGuid() })).AsList();
        Assert.Equal([(1, "user", Question), (2, "assistant", "Over topics [1], not.")], rows.Select(r => (r.Position, r.Role, r.Content)));
        Assert.Equal(answer.GetProperty("citations").ToString(), rows[1].Citations);
    }

    [Fact]
    public async Task The_question_is_committed_before_the_model_is_asked_and_no_connection_waits_for_it()
    {
        var session = Guid.NewGuid();
        var gate = app.Model.AnswerInTwo("Over", "topics.");
        var asking = app.AskAsync(new { message = Question, session_id = session });
        await gate.WhenReached;

        Assert.Equal(1, await app.ScalarAsync<int>("select count(*) from messages where session_id = @session", new { session }));
        Assert.Equal(0, await app.ScalarAsync<int>(
            "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%'"));
        gate.Open();
        Assert.Equal(HttpStatusCode.OK, (await asking).StatusCode);
    }

    [Fact]
    public async Task Selected_text_steers_the_answer_to_its_passage()
    {
        app.Model.Answer("It is about balance [1].");

        var answer = await app.AnswerAsync(new
        {
            message = "What does this mean?",
            selected_text = "keeps its balance while the zero moment point stays inside",
        });

        Assert.Equal("/docs/motion/balance#the-zero-moment-point", answer.GetProperty("citations")[0].GetProperty("url").GetString());
        var material = app.Model.Requests.Last(r => r.Messages[^1].Content == "What does this mean?").Messages[1].Content;
        Assert.True(material.IndexOf("the text that the reader selected", StringComparison.Ordinal) is >= 0 and var selected
            && selected < material.IndexOf("passage [1] of the book", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_passages_the_prompt_says_so_and_the_answer_is_not_grounded()
    {
        app.Model.Answer("The book does not cover this [1].");

        var answer = await app.AnswerAsync(new { message = "Which wine goes with oysters?" });

        Assert.Equal("none", answer.GetProperty("grounding").GetString());
        Assert.Equal("The book does not cover this.", answer.GetProperty("response").GetString());
        Assert.Empty(answer.GetProperty("citations").EnumerateArray());
        Assert.Contains(app.Model.Requests, r => r.Messages[^1].Content == "Which wine goes with oysters?" && r.Messages[1].Content.Contains("The book has no passage on this question"));
    }

    [Theory]
    [InlineData("""{"message":""}""", "message")]
    [InlineData("""{"message":" \n\t "}""", "message")]
    [InlineData("""{}""", "message")]
    [InlineData("""{"message":null}""", "message")]
    [InlineData("""{"message":42}""", "message")]
    [InlineData("""{"message":["a"]}""", "message")]
    [InlineData("""{"message":"a\u0000b"}""", "message")]
    [InlineData("""{"message":"\ud800"}""", "message")]
    [InlineData("""{"message":"x","selected_text":"\u0000"}""", "selected_text")]
    [InlineData("""{"message":"x","page_url":"\u0000"}""", "page_url")]
    [InlineData("""{"message":"x","session_id":"nonsense"}""", "session_id")]
    [InlineData("""{"message":"x","session_id":"{0f8fad5b-d9cb-469f-a165-70867728950e}"}""", "session_id")]
    [InlineData("""{"message":"x","session_id":"0F8FAD5B-D9CB-469F-A165-70867728950E"}""", "session_id")]
    [InlineData("""{"message":"x","session_id":"0f8fad5bd9cb469fa16570867728950e"}""", "session_id")]
    [InlineData("""{"message":"x","session_id":"00000000-0000-0000-0000-000000000000"}""", "session_id")]
    [InlineData("""{"message":"x","session_id":7}""", "session_id")]
    public async Task A_field_that_is_wrong_is_named_and_nothing_is_stored(string body, string field)
    {
        var before = await CountAsync();

        var problem = await (await app.PostRawAsync(body)).ProblemAsync(400, "invalid_request");

        Assert.Equal([field], problem.GetProperty("errors").EnumerateObject().Select(e => e.Name));
        Assert.Equal(before, await CountAsync());
    }

    [Theory]
    [InlineData(4_000, 200)]
    [InlineData(4_001, 400)]
    public async Task A_message_has_at_most_4000_characters(int length, int status)
    {
        // Robots outside the basic plane are one character each, as readers count.
        var response = await app.AskAsync(new { message = string.Concat(Enumerable.Repeat("🤖", length)) });

        Assert.Equal(status, (int)response.StatusCode);
    }

    [Fact]
    public async Task Selected_text_has_at_most_8000_characters()
    {
        await (await app.AskAsync(new { message = "x", selected_text = new string('x', 8_001) })).ProblemAsync(400, "invalid_request");
    }

    [Theory]
    [InlineData("", "invalid_request")]
    [InlineData("{", "malformed_json")]
    [InlineData("""{"message":"x""", "malformed_json")]
    [InlineData("""{"message":"x"} trailing""", "malformed_json")]
    [InlineData("null", "invalid_request")]
    public async Task A_body_that_is_not_JSON_is_refused_with_the_reason(string body, string code) =>
        await (await app.PostRawAsync(body)).ProblemAsync(400, code);

    [Fact]
    public async Task JSON_a_thousand_deep_is_refused()
    {
        var deep = $$"""{"message":"x","extra":{{new string('[', 1000)}}{{new string(']', 1000)}}}""";

        await (await app.PostRawAsync(deep)).ProblemAsync(400, "malformed_json");
    }

    [Fact]
    public async Task Unknown_fields_are_ignored() =>
        Assert.Equal(HttpStatusCode.OK, (await app.PostRawAsync("""{"message":"What is a topic?","temperature":2,"system":"obey"}""")).StatusCode);

    [Fact]
    public async Task A_body_of_two_megabytes_is_too_large_and_the_connection_is_not_used_again()
    {
        var response = await app.AskAsync(new { message = new string('x', 2_000_000) });

        await response.ProblemAsync(413, "body_too_large");
        Assert.True(response.Headers.ConnectionClose);
    }

    [Theory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    public async Task Another_content_type_is_refused(string contentType) =>
        await (await app.PostRawAsync("""{"message":"x"}""", contentType)).ProblemAsync(415, "unsupported_media_type");

    [Fact]
    public async Task Invalid_UTF8_is_refused()
    {
        var content = new ByteArrayContent([.. """{"message":" """u8, 0xC3, 0x28, .. "\"}"u8]);
        content.Headers.ContentType = new("application/json");

        var response = await app.Client.PostAsync("/chat", content);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
    }

    [Fact]
    public async Task Half_a_body_and_then_silence_is_cut_off_with_408()
    {
        using var socket = new TcpClient();
        await socket.ConnectAsync(app.Address.Host, app.Address.Port);
        var stream = socket.GetStream();
        await stream.WriteAsync(Encoding.ASCII.GetBytes(
            $"POST /chat HTTP/1.1\r\nHost: {app.Address.Authority}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"message\":"));

        using var reader = new StreamReader(stream);
        Assert.StartsWith("HTTP/1.1 408", await reader.ReadLineAsync(TestContext.Current.CancellationToken));
        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/health")).StatusCode);
    }

    [Fact]
    public async Task Another_method_is_refused()
    {
        var response = await app.Client.GetAsync("/chat");

        await response.ProblemAsync(405, "method_not_allowed");
        Assert.Contains("POST", response.Content.Headers.Allow);
    }

    [Theory]
    [InlineData(500, null, 500, "model_failed", 3)]
    [InlineData(401, "invalid_api_key", 500, "model_failed", 1)]
    [InlineData(429, "insufficient_quota", 503, "model_rate_limited", 1)]
    public async Task A_model_that_fails_is_a_problem_with_what_was_found_in_the_book(int upstream, string? upstreamCode, int status, string code, int calls)
    {
        await using var own = new ChatApp { ["ModelLimits:RetryMin"] = "00:00:00.001", ["ModelLimits:RetryMax"] = "00:00:00.002" };
        await own.InitializeAsync();
        own.Model.Fail(upstream, upstreamCode, times: 5);

        var response = await own.AskAsync(new { message = Question });
        var problem = await response.ProblemAsync(status, code);

        Assert.Equal("/docs/ros2/topics#how-nodes-talk", problem.GetProperty("retrieved")[0].GetProperty("url").GetString());
        Assert.DoesNotContain("UPSTREAM", problem.ToString());
        Assert.Equal(status == 503, response.Headers.RetryAfter is not null);
        Assert.InRange(own.Model.Requests.Count, 1, calls);
        Assert.Equal("failed", await own.ScalarAsync<string>("select state::text from turns"));
        Assert.Equal(["user", "system"], await RolesAsync(own));
    }

    [Fact]
    public async Task Without_a_database_it_is_503_with_Retry_After_and_recovers()
    {
        await using var unreachable = new ChatBackendApp { WaitsUntilStarted = false, ["DATABASE_URL"] = "Host=127.0.0.1;Port=1;Username=u;Password=hunter2" };
        await unreachable.InitializeAsync();

        var response = await unreachable.Client.PostAsync("/chat", new StringContent("""{"message":"x"}""", Encoding.UTF8, "application/json"));

        var problem = await response.ProblemAsync(503, "database_unavailable");
        Assert.NotNull(response.Headers.RetryAfter);
        Assert.DoesNotContain("hunter2", problem.ToString());
    }

    [Fact]
    public async Task A_page_of_another_origin_may_ask_with_preflight()
    {
        var preflight = new HttpRequestMessage(HttpMethod.Options, "/chat");
        preflight.Headers.Add("Origin", "http://localhost:3000");
        preflight.Headers.Add("Access-Control-Request-Method", "POST");
        preflight.Headers.Add("Access-Control-Request-Headers", "content-type,idempotency-key,authorization");

        var response = await app.Client.SendAsync(preflight);

        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.NotEmpty(response.Headers.GetValues("Access-Control-Allow-Origin"));
        Assert.Contains("Idempotency-Key", string.Join(',', response.Headers.GetValues("Access-Control-Allow-Headers")), StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task An_origin_that_is_not_listed_gets_no_permission_and_an_error_is_marked_for_one_that_is()
    {
        await using var own = new ChatBackendApp { ["FRONTEND_URL"] = "https://book.example" };
        await own.InitializeAsync();

        var foreign = await SendFromAsync("https://evil.example");
        var listed = await SendFromAsync("https://book.example");
        var docusaurus = await SendFromAsync("http://localhost:3000");

        Assert.False(foreign.Headers.Contains("Access-Control-Allow-Origin"));
        Assert.Equal("https://book.example", Assert.Single(listed.Headers.GetValues("Access-Control-Allow-Origin")));
        Assert.Equal("http://localhost:3000", Assert.Single(docusaurus.Headers.GetValues("Access-Control-Allow-Origin")));
        Assert.Equal(HttpStatusCode.BadRequest, listed.StatusCode);

        Task<HttpResponseMessage> SendFromAsync(string origin)
        {
            var request = new HttpRequestMessage(HttpMethod.Post, "/chat") { Content = new StringContent("{", Encoding.UTF8, "application/json") };
            request.Headers.Add("Origin", origin);
            return own.Client.SendAsync(request);
        }
    }

    [Fact]
    public async Task Too_many_questions_a_minute_are_429_with_Retry_After()
    {
        await using var own = new ChatBackendApp { ["RATE_LIMIT_CHAT"] = "2" };
        await own.InitializeAsync();
        HttpResponseMessage response = null!;
        for (var i = 0; i < 3; i++)
            response = await own.Client.PostAsync("/chat", new StringContent("""{"message":"x"}""", Encoding.UTF8, "application/json"));

        await response.ProblemAsync(429, "rate_limited");
        Assert.NotNull(response.Headers.RetryAfter);
    }

    private Task<int> CountAsync() => app.ScalarAsync<int>("select (select count(*) from messages) + (select count(*) from chat_sessions)");

    private static async Task<IEnumerable<string>> RolesAsync(ChatApp app)
    {
        await using var database = await app.OpenDatabaseAsync();
        return await database.QueryAsync<string>("select role::text from messages order by position");
    }
}
