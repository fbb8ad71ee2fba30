using System.Net;
using System.Text.Json;
using ChatBackend.Tests.Features.Profile;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using ChatBackend.Tests.Infrastructure.Database;

namespace ChatBackend.Tests.Features.Chat.Sessions;

/// <summary>The conversations of a signed-in reader: their list, their titles, and how an anonymous one becomes theirs.</summary>
public sealed class OwnSessionsTests(ProfileApp app) : IClassFixture<ProfileApp>
{
    private const string Question = "How do two ROS 2 nodes talk to each other?";

    [Fact]
    public async Task A_reader_sees_their_own_conversations_newest_first_page_by_page()
    {
        var (reader, other) = (ProfileApp.NewReader(), ProfileApp.NewReader());
        var sessions = new List<Guid>();
        for (var i = 0; i < 5; i++)
        {
            sessions.Add(await BeginAsync(reader, $"Question {i} on ROS 2 nodes?"));
            await BeginAsync(other, "What is a URDF?");
            await BeginAsync(null, "What is a URDF?");
        }

        // Two at the same instant: the id decides, so that no page skips one.
        await app.ExecuteAsync("update chat_sessions set updated_at = '2026-01-01Z' where id = any(@ids)", new { ids = sessions[3..].ToArray() });
        // As PostgreSQL orders UUIDs, by their bytes.
        var equal = sessions[3..].OrderByDescending(id => id.ToString(), StringComparer.Ordinal);
        // Continued, so it is the newest again.
        await app.AskAsync(reader, new { message = "And why?", session_id = sessions[0] });

        var pages = new List<Guid[]>();
        for (string? cursor = "", next = null; cursor is not null; cursor = next)
        {
            var page = await OkAsync(reader, HttpMethod.Get, $"/chat/sessions?limit=2{cursor}");
            pages.Add([.. page.GetProperty("items").EnumerateArray().Select(s => s.GetProperty("session_id").GetGuid())]);
            next = page.GetProperty("next_cursor").GetString() is { } more ? $"&cursor={more}" : null;
        }

        Assert.Equal([2, 2, 1], pages.Select(p => p.Length));
        Assert.Equal([sessions[0], sessions[2], sessions[1], .. equal], pages.SelectMany(p => p));
        var first = (await OkAsync(reader, HttpMethod.Get, "/chat/sessions")).GetProperty("items")[0];
        Assert.Equal("Question 0 on ROS 2 nodes?", first.GetProperty("title").GetString());
        Assert.Empty((await OkAsync(ProfileApp.NewReader(), HttpMethod.Get, "/chat/sessions")).GetProperty("items").EnumerateArray());
    }

    [Theory]
    [InlineData("limit=0", "limit")]
    [InlineData("limit=101", "limit")]
    [InlineData("limit=x", "limit")]
    [InlineData("cursor=1", "cursor")]
    [InlineData("cursor=-1.5d1f3f0e-6c0d-4c64-9a0e-3b1a5d2c7e90", "cursor")]
    [InlineData("cursor=99999999999999999999.5d1f3f0e-6c0d-4c64-9a0e-3b1a5d2c7e90", "cursor")]
    [InlineData("cursor=639000000000000000.x", "cursor")]
    public async Task An_invalid_cursor_or_limit_is_refused(string query, string field)
    {
        var problem = await (await app.SendAsync(ProfileApp.NewReader(), HttpMethod.Get, $"/chat/sessions?{query}")).ProblemAsync(400, "invalid_request");

        Assert.True(problem.GetProperty("errors").TryGetProperty(field, out _));
    }

    [Theory]
    [InlineData("GET", "/chat/sessions")]
    [InlineData("PATCH", "/chat/sessions/{id}")]
    [InlineData("POST", "/chat/sessions/{id}/claim")]
    public async Task Without_a_token_they_are_401(string method, string route)
    {
        var session = await BeginAsync(null, Question);

        await (await app.SendAsync(null, new(method), route.Replace("{id}", $"{session}", StringComparison.Ordinal), method == "PATCH" ? """{"title":"x"}""" : null)).ProblemAsync(401, "token_required");

        Assert.Equal("", await app.ScalarAsync<string>("select concat(user_id, title) from chat_sessions where id = @session", new { session }));
    }

    [Fact]
    public async Task A_long_question_is_cut_at_a_word_and_stays_the_title_when_it_is_asked_again()
    {
        var reader = ProfileApp.NewReader();
        var answer = await app.AskAsync(reader, new { message = "How do two\nROS 2 nodes talk to each other, if one of them runs on a robot and the other one in a simulation?" });
        await app.AskAsync(reader, new { message = "And why?", session_id = answer.GetProperty("session_id") });

        Assert.Equal("How do two ROS 2 nodes talk to each other, if one of them runs on a robot and…", await TitleAsync(reader));
        await OkAsync(reader, HttpMethod.Post, $"/chat/turns/{answer.GetProperty("turn_id")}/regenerate");
        Assert.Equal("How do two ROS 2 nodes talk to each other, if one of them runs on a robot and…", await TitleAsync(reader));
    }

    [Fact]
    public async Task A_conversation_is_renamed_and_gets_its_first_question_back()
    {
        var reader = ProfileApp.NewReader();
        var session = await BeginAsync(reader, Question);
        var before = (await OkAsync(reader, HttpMethod.Get, "/chat/sessions")).GetProperty("items")[0].GetProperty("updated_at").GetString();

        Assert.Equal("Nodes 🤖", await RenameAsync("""{"title":"  Nodes 🤖 "}"""));
        Assert.Equal("Nodes 🤖", await RenameAsync("{}"));
        Assert.Equal("Nodes 🤖", await TitleAsync(reader));
        Assert.Equal(Question, await RenameAsync("""{"title":null}"""));
        Assert.Equal(string.Concat(Enumerable.Repeat("🤖", 200)), await RenameAsync($$"""{"title":"{{string.Concat(Enumerable.Repeat("🤖", 200))}}"}"""));
        // A new name is no activity.
        Assert.Equal(before, (await OkAsync(reader, HttpMethod.Get, "/chat/sessions")).GetProperty("items")[0].GetProperty("updated_at").GetString());

        async Task<string?> RenameAsync(string patch) =>
            (await OkAsync(reader, HttpMethod.Patch, $"/chat/sessions/{session}", patch)).GetProperty("title").GetString();
    }

    [Theory]
    [InlineData("""{"title":""}""", "title")]
    [InlineData("""{"title":"   "}""", "title")]
    [InlineData("""{"title":7}""", "title")]
    [InlineData("""{"title":"a\u0000b"}""", "title")]
    [InlineData("""["title"]""", "body")]
    public async Task An_invalid_name_is_refused(string patch, string field)
    {
        var reader = ProfileApp.NewReader();
        var session = await BeginAsync(reader, Question);

        var problem = await (await app.SendAsync(reader, HttpMethod.Patch, $"/chat/sessions/{session}", patch)).ProblemAsync(400, "invalid_request");

        Assert.True(problem.GetProperty("errors").TryGetProperty(field, out _), problem.GetRawText());
        await (await app.SendAsync(reader, HttpMethod.Patch, $"/chat/sessions/{session}", $$"""{"title":"{{new string('x', 201)}}"}""")).ProblemAsync(400, "invalid_request");
        Assert.Equal(Question, await TitleAsync(reader));
    }

    [Fact]
    public async Task A_name_is_given_by_the_owner_only()
    {
        var (own, anonymous) = (await BeginAsync(ProfileApp.NewReader(), Question), await BeginAsync(null, Question));

        foreach (var session in (Guid[])[own, anonymous, Guid.NewGuid()])
            await (await app.SendAsync(ProfileApp.NewReader(), HttpMethod.Patch, $"/chat/sessions/{session}", """{"title":"Mine"}""")).ProblemAsync(404, "session_not_found");

        Assert.Equal(0, await app.ScalarAsync<int>("select count(*) from chat_sessions where id = any(@ids) and title is not null", new { ids = new[] { own, anonymous } }));
    }

    [Fact]
    public async Task An_anonymous_conversation_is_claimed_once_and_belongs_to_its_reader_alone()
    {
        var (reader, other) = (ProfileApp.NewReader(), ProfileApp.NewReader());
        var key = Guid.NewGuid().ToString();
        var answer = await (await AskWithKeyAsync(key)).JsonAsync();
        var (session, turn) = (answer.GetProperty("session_id").GetGuid(), answer.GetProperty("turn_id").GetGuid());

        var claimed = await OkAsync(reader, HttpMethod.Post, $"/chat/sessions/{session}/claim");

        Assert.Equal((session, Question), (claimed.GetProperty("session_id").GetGuid(), claimed.GetProperty("title").GetString()));
        Assert.Equal(claimed.GetRawText(), (await OkAsync(reader, HttpMethod.Post, $"/chat/sessions/{session}/claim")).GetRawText());
        Assert.Equal(claimed.GetRawText(), (await OkAsync(reader, HttpMethod.Get, "/chat/sessions")).GetProperty("items")[0].GetRawText());
        await (await app.SendAsync(other, HttpMethod.Post, $"/chat/sessions/{session}/claim")).ProblemAsync(404, "session_not_found");
        foreach (var stranger in (string?[])[other, null])
        {
            await (await app.SendAsync(stranger, HttpMethod.Get, $"/chat/sessions/{session}/messages")).ProblemAsync(404, "session_not_found");
            await (await app.SendAsync(stranger, HttpMethod.Get, $"/chat/turns/{turn}/events")).ProblemAsync(404, "turn_not_found");
            await (await app.SendAsync(stranger, HttpMethod.Post, $"/chat/turns/{turn}/regenerate")).ProblemAsync(404, "turn_not_found");
            await (await app.SendAsync(stranger, HttpMethod.Post, "/chat", JsonSerializer.Serialize(new { message = Question, session_id = session }))).ProblemAsync(404, "session_not_found");
        }

        // The key opened the turn when the conversation was anybody's.
        await (await AskWithKeyAsync(key)).ProblemAsync(404, "session_not_found");
        Assert.Equal(2, await app.ScalarAsync<int>("select count(*) from messages where session_id = @session", new { session }));
        await app.AskAsync(reader, new { message = "And why?", session_id = session });

        Task<HttpResponseMessage> AskWithKeyAsync(string key)
        {
            var request = ProfileApp.Request(null, HttpMethod.Post, "/chat", JsonSerializer.Serialize(new { message = Question }));
            request.Headers.Add("Idempotency-Key", key);
            return app.Client.SendAsync(request);
        }
    }

    [Fact]
    public async Task Of_many_readers_who_claim_a_conversation_at_once_one_gets_it()
    {
        var session = await BeginAsync(null, Question);
        var readers = Enumerable.Range(0, 20).Select(_ => ProfileApp.NewReader()).ToArray();

        var responses = await Task.WhenAll(readers.Select(r => app.SendAsync(r, HttpMethod.Post, $"/chat/sessions/{session}/claim")));

        var winner = Assert.Single(readers.Zip(responses), r => r.Second.StatusCode == HttpStatusCode.OK).First;
        Assert.All(responses.Where(r => r.StatusCode != HttpStatusCode.OK), r => Assert.Equal(HttpStatusCode.NotFound, r.StatusCode));
        Assert.Equal(winner, await app.ScalarAsync<string>("select user_id from chat_sessions where id = @session", new { session }));
    }

    [Fact]
    public async Task A_turn_that_runs_during_the_claim_goes_on_and_belongs_to_the_new_owner()
    {
        await using var model = await StubOpenAi.StartAsync();
        await using var own = new ProfileApp { ["OPENAI_BASE_URL"] = model.BaseUrl };
        await own.InitializeAsync();
        var (reader, session) = (ProfileApp.NewReader(), Guid.NewGuid());
        var gate = model.AnswerInTwo("Half an", "answer.");
        var request = ProfileApp.Request(null, HttpMethod.Post, "/chat", JsonSerializer.Serialize(new { message = "Which wine goes with oysters?", session_id = session }));
        request.Headers.Add("Accept", "text/event-stream");
        using var response = await own.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        using var stream = new EventStream(response);
        var turn = (await stream.NextAsync())!.Data.GetProperty("turn_id").GetGuid();
        await gate.WhenReached;

        Assert.Equal(HttpStatusCode.OK, (await own.SendAsync(reader, HttpMethod.Post, $"/chat/sessions/{session}/claim")).StatusCode);
        await (await own.SendAsync(null, HttpMethod.Post, $"/chat/turns/{turn}/stop")).ProblemAsync(404, "turn_not_found");
        await (await own.SendAsync(null, HttpMethod.Get, $"/chat/turns/{turn}/events")).ProblemAsync(404, "turn_not_found");
        gate.Open();

        // The stream was opened by who held the id then, and is followed to the end of this turn.
        Assert.Equal("completed", (await stream.AllAsync())[^1].Name);
        var answer = await (await own.SendAsync(reader, HttpMethod.Get, $"/chat/turns/{turn}")).JsonAsync();
        Assert.Equal("Half ananswer.", answer.GetProperty("response").GetProperty("response").GetString());
        await (await own.SendAsync(null, HttpMethod.Get, $"/chat/turns/{turn}")).ProblemAsync(404, "turn_not_found");
    }

    [Fact]
    public async Task A_claim_and_a_name_whose_replies_were_lost_are_stored_once()
    {
        var database = await PostgresServer.CreateDatabaseAsync();
        await using var relay = new DatabaseRelay(database);
        await using (var own = new ProfileApp { ["DATABASE_URL"] = relay.ConnectionString })
        {
            await own.InitializeAsync();
            var (reader, session) = (ProfileApp.NewReader(), (await own.AskAsync(null, new { message = Question })).GetProperty("session_id").GetGuid());

            relay.LoseAnswerTo("set user_id");
            Assert.Equal(HttpStatusCode.OK, (await own.SendAsync(reader, HttpMethod.Post, $"/chat/sessions/{session}/claim")).StatusCode);
            relay.LoseAnswerTo("set title");
            Assert.Equal(HttpStatusCode.OK, (await own.SendAsync(reader, HttpMethod.Patch, $"/chat/sessions/{session}", """{"title":"Mine"}""")).StatusCode);

            Assert.Equal(2, relay.Lost);
            var listed = (await (await own.SendAsync(reader, HttpMethod.Get, "/chat/sessions")).JsonAsync()).GetProperty("items")[0];
            Assert.Equal((session, "Mine"), (listed.GetProperty("session_id").GetGuid(), listed.GetProperty("title").GetString()));
        }

        await PostgresServer.DropDatabaseAsync(database);
    }

    private async Task<Guid> BeginAsync(string? reader, string question) => (await app.AskAsync(reader, new { message = question })).GetProperty("session_id").GetGuid();

    private async Task<string?> TitleAsync(string reader) =>
        (await OkAsync(reader, HttpMethod.Get, "/chat/sessions")).GetProperty("items")[0].GetProperty("title").GetString();

    private async Task<JsonElement> OkAsync(string reader, HttpMethod method, string path, string? json = null)
    {
        var response = await app.SendAsync(reader, method, path, json);
        var body = await response.JsonAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, body.GetRawText());
        return body;
    }
}
