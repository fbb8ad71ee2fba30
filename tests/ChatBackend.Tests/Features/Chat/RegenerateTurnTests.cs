using System.Net;
using System.Text.Json;

namespace ChatBackend.Tests.Features.Chat;

public sealed class RegenerateTurnTests(ChatApp app) : IClassFixture<ChatApp>
{
    private const string Question = "How do two ROS 2 nodes talk to each other?";

    [Fact]
    public async Task The_question_is_asked_again_and_the_old_answer_and_the_turns_after_it_leave_lists_and_prompts()
    {
        var session = Guid.NewGuid();
        var kept = await AskAsync(session, "What does a ROS 2 service answer?", "One response.");
        var old = await AskAsync(session, Question, "Old answer.", selected: "One publishes messages.");
        var after = await AskAsync(session, "And who publishes to ROS 2 topics?", "Later answer.");
        app.Model.Answer("New answer [1].");

        var answer = await OkAsync(await RegenerateAsync(old));

        Assert.Equal("New answer [1].", answer.GetProperty("response").GetString());
        var turn = answer.GetProperty("turn_id").GetGuid();
        var prompt = app.Model.Requests[^1].Messages;
        Assert.Contains("One publishes messages.", prompt[1].Content, StringComparison.Ordinal);
        Assert.Equal([("user", "What does a ROS 2 service answer?"), ("assistant", "One response."), ("user", Question)], prompt.Skip(2));
        Assert.Equal([(1, "What does a ROS 2 service answer?"), (2, "One response."), (7, Question), (8, "New answer [1].")], await MessagesAsync(session));
        Assert.Equal(8, await app.ScalarAsync<int>("select count(*) from messages where session_id = @session", new { session }));
        foreach (var (id, by) in ((Guid, Guid?)[])[(kept, null), (old, turn), (after, turn), (turn, null)])
            Assert.Equal(by, await SupersededByAsync(id));

        var next = $"And which ROS 2 node subscribes, {session}?";
        await AskAsync(session, next, "The other.");
        Assert.Equal(
            [("user", "What does a ROS 2 service answer?"), ("assistant", "One response."), ("user", Question), ("assistant", "New answer [1]."), ("user", next)],
            app.Model.Requests[^1].Messages.Skip(2));
    }

    [Fact]
    public async Task The_list_pages_over_what_was_replaced()
    {
        var session = Guid.NewGuid();
        var first = await AskAsync(session, Question, "Answer 1.");
        await AskAsync(session, "And who publishes to ROS 2 topics?", "Answer 2.");
        app.Model.Answer("Answer 3.");
        var again = (await OkAsync(await RegenerateAsync(first))).GetProperty("turn_id").GetGuid();
        app.Model.Answer("Answer 4.");
        await OkAsync(await RegenerateAsync(again));
        await AskAsync(session, "And who subscribes to ROS 2 topics?", "Answer 5.");

        var pages = new List<string>();
        for (string? cursor = "", next = null; cursor is not null; cursor = next)
        {
            var page = await (await app.Client.GetAsync($"/chat/sessions/{session}/messages?limit=3{cursor}")).JsonAsync();
            pages.Add(string.Join(' ', page.GetProperty("items").EnumerateArray().Select(m => m.GetProperty("position").GetInt32())));
            next = page.GetProperty("next_cursor").GetString() is { } more ? $"&cursor={more}" : null;
        }

        Assert.Equal(["8 9 10", "7"], pages);
    }

    [Fact]
    public async Task It_streams_where_the_client_prefers_a_stream()
    {
        var old = await AskAsync(Guid.NewGuid(), Question, "Old answer.");
        app.Model.Answer("New answer.");

        using var response = await RegenerateAsync(old, accept: "text/event-stream");
        using var stream = new EventStream(response);
        var events = await stream.AllAsync();

        Assert.Equal(("turn", "completed"), (events[0].Name, events[^1].Name));
        Assert.NotEqual(old, events[0].Data.GetProperty("turn_id").GetGuid());
        Assert.Equal("New answer.", EventStream.Text(events));
    }

    [Fact]
    public async Task The_same_key_gets_the_same_new_turn_while_it_runs_and_after()
    {
        var (session, key) = (Guid.NewGuid(), Guid.NewGuid().ToString());
        var old = await AskAsync(session, Question, "Old answer.");
        var gate = app.Model.AnswerInTwo("New", "answer.");
        var before = app.Model.Requests.Count;

        var asking = Enumerable.Range(0, 10).Select(_ => RegenerateAsync(old, key)).ToArray();
        await gate.WhenReached;
        gate.Open();
        var bodies = await Task.WhenAll((await Task.WhenAll(asking)).Append(await RegenerateAsync(old, key)).Select(r => r.Content.ReadAsStringAsync()));

        Assert.Contains("Newanswer.", Assert.Single(bodies.Distinct()), StringComparison.Ordinal);
        Assert.Equal(before + 1, app.Model.Requests.Count);
        Assert.Equal(2, await app.ScalarAsync<int>("select turn_count from chat_sessions where id = @session", new { session }));
        var other = await AskAsync(session, "Another question about ROS 2 nodes?", "Other.");
        await (await RegenerateAsync(other, key)).ProblemAsync(422, "idempotency_key_reused");
        Assert.Null(await SupersededByAsync(other));
        await (await RegenerateAsync(other, "with space")).ProblemAsync(400, "invalid_request");
    }

    [Fact]
    public async Task Regenerating_many_times_at_once_makes_one_new_turn_and_no_fork()
    {
        var session = Guid.NewGuid();
        var old = await AskAsync(session, Question, "Old answer.");
        app.Model.Answer("New answer.");

        var responses = await Task.WhenAll(Enumerable.Range(0, 12).Select(i => RegenerateAsync(old, i % 2 == 0 ? $"key-{i}" : null)));

        var answer = await OkAsync(Assert.Single(responses, r => r.IsSuccessStatusCode));
        foreach (var refused in responses.Where(r => !r.IsSuccessStatusCode))
            await refused.ProblemAsync(409, "turn_superseded");
        Assert.Equal(answer.GetProperty("turn_id").GetGuid(), await SupersededByAsync(old));
        Assert.Equal([(3, Question), (4, "New answer.")], await MessagesAsync(session));
        Assert.Equal("2 2", await app.ScalarAsync<string>("select concat_ws(' ', turn_count, (select count(*) from turns where session_id = s.id)) from chat_sessions as s where id = @session", new { session }));
    }

    [Fact]
    public async Task A_turn_that_runs_or_has_a_running_one_behind_it_is_409_and_after_a_stop_it_is_asked_again()
    {
        var session = Guid.NewGuid();
        var old = await AskAsync(session, Question, "Old answer.");
        var gate = app.Model.AnswerInTwo("Half", "more.");
        var asking = app.AskAsync(new { message = "And who publishes to ROS 2 topics?", session_id = session });
        await gate.WhenReached;
        var running = await app.ScalarAsync<Guid>("select id from turns where session_id = @session and number = 2", new { session });

        await (await RegenerateAsync(running)).ProblemAsync(409, "turn_running");
        await (await RegenerateAsync(old)).ProblemAsync(409, "turn_running");
        Assert.Equal(2, await app.ScalarAsync<int>("select turn_count from chat_sessions where id = @session", new { session }));
        Assert.Null(await SupersededByAsync(old));
        await app.Client.PostAsync($"/chat/turns/{running}/stop", null);
        app.Model.Answer("All of it.");

        Assert.Equal("All of it.", (await OkAsync(await RegenerateAsync(running))).GetProperty("response").GetString());
        Assert.Equal(HttpStatusCode.OK, (await asking).StatusCode);
        Assert.Equal([(1, Question), (2, "Old answer."), (5, "And who publishes to ROS 2 topics?"), (6, "All of it.")], await MessagesAsync(session));
    }

    [Fact]
    public async Task A_failed_turn_that_was_replaced_is_not_started_again_by_its_key()
    {
        var (session, key) = (Guid.NewGuid(), Guid.NewGuid().ToString());
        app.Model.Fail(400);
        var failed = (await (await app.AskAsync(new { message = Question, session_id = session }, key)).ProblemAsync(500, "model_failed")).GetProperty("turn_id").GetGuid();
        app.Model.Answer("New answer.");
        await OkAsync(await RegenerateAsync(failed));

        await (await app.AskAsync(new { message = Question, session_id = session }, key)).ProblemAsync(500, "model_failed");

        Assert.Equal([(3, Question), (4, "New answer.")], await MessagesAsync(session));
    }

    [Fact]
    public async Task A_failed_turn_that_is_asked_again_and_regenerated_at_once_is_asked_once()
    {
        for (var i = 0; i < 10; i++)
        {
            var (session, key) = (Guid.NewGuid(), Guid.NewGuid().ToString());
            app.Model.Fail(400);
            var failed = (await (await app.AskAsync(new { message = Question, session_id = session }, key)).ProblemAsync(500, "model_failed")).GetProperty("turn_id").GetGuid();
            var before = app.Model.Requests.Count;

            var responses = await Task.WhenAll(app.AskAsync(new { message = Question, session_id = session }, key), RegenerateAsync(failed));

            // The key's repeat may have ended before: then its answer was replaced.
            Assert.Contains(responses, r => r.IsSuccessStatusCode);
            var replaced = await SupersededByAsync(failed) is not null;
            Assert.Equal(replaced, responses[1].IsSuccessStatusCode);
            if (!replaced)
                await responses[1].ProblemAsync(409, "turn_running");
            Assert.InRange(app.Model.Requests.Count, before + 1, before + 2);
            Assert.Equal(2, (await MessagesAsync(session)).Length);
        }
    }

    [Fact]
    public async Task Questions_asked_meanwhile_wait_for_the_new_turn_or_are_replaced_with_the_old_one()
    {
        for (var i = 0; i < 10; i++)
        {
            var session = Guid.NewGuid();
            var old = await AskAsync(session, Question, "Old answer.");

            var responses = await Task.WhenAll(RegenerateAsync(old), app.AskAsync(new { message = "And who publishes to ROS 2 topics?", session_id = session }));

            Assert.True(responses[1].IsSuccessStatusCode);
            if (!responses[0].IsSuccessStatusCode)
                await responses[0].ProblemAsync(409, "turn_running");
            var positions = (await MessagesAsync(session)).Select(m => m.Position);
            Assert.Contains(string.Join(' ', positions), (string[])["3 4 5 6", "1 2 3 4", "5 6"]);
        }
    }

    [Fact]
    public async Task A_question_that_is_not_in_the_book_counts_once_however_often_it_is_regenerated()
    {
        await using var own = new ChatApp();
        await own.InitializeAsync();
        var turn = (await own.AnswerAsync(new { message = "Which wine goes with oysters?" })).GetProperty("turn_id").GetGuid();
        var session = await own.ScalarAsync<Guid>("select session_id from turns");
        await own.AnswerAsync(new { message = "Which cheese goes with port?", session_id = session });
        for (var i = 0; i < 2; i++)
            turn = (await (await own.Client.PostAsync($"/chat/turns/{turn}/regenerate", null)).JsonAsync()).GetProperty("turn_id").GetGuid();

        var insights = await (await own.Client.GetAsync("/chat/insights")).JsonAsync();

        Assert.Equal(4, insights.GetProperty("turns").GetProperty("completed").GetInt32());
        Assert.Equal(
            ["Which cheese goes with port? 1", "Which wine goes with oysters? 1"],
            insights.GetProperty("unanswered").EnumerateArray().Select(q => $"{q.GetProperty("question")} {q.GetProperty("count")}").Order());
    }

    [Fact]
    public async Task A_regenerated_turn_whose_process_dies_is_taken_over()
    {
        await using var own = new ChatApp { ["Turns:Beat"] = "00:00:00.100" };
        await own.InitializeAsync();
        var old = (await own.AnswerAsync(new { message = Question })).GetProperty("turn_id").GetGuid();
        var gate = own.Model.AnswerInTwo("Never", "told.");
        own.Model.Answer("New answer.");
        var asking = own.Client.PostAsync($"/chat/turns/{old}/regenerate", null);
        await gate.WhenReached;

        await own.ExecuteAsync("update turns set lease_owner = gen_random_uuid(), lease_until = now() - interval '1 minute' where state = 'running'");

        Assert.Equal("New answer.", (await OkAsync(await asking)).GetProperty("response").GetString());
        Assert.Equal("New answer.", await own.ScalarAsync<string>("select content from messages where position = 4"));
    }

    private async Task<Guid> AskAsync(Guid session, string question, string answer, string? selected = null)
    {
        app.Model.Default = request => request.Messages[0].Content.Contains("search", StringComparison.Ordinal) ? request.Messages[^1].Content : answer;
        try
        {
            return (await app.AnswerAsync(new { message = question, session_id = session, selected_text = selected })).GetProperty("turn_id").GetGuid();
        }
        finally
        {
            app.Model.Default = _ => "The stub's answer.";
        }
    }

    private Task<HttpResponseMessage> RegenerateAsync(Guid turn, string? key = null, string accept = "application/json")
    {
        var request = new HttpRequestMessage(HttpMethod.Post, $"/chat/turns/{turn}/regenerate") { Headers = { { "Accept", accept } } };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return app.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
    }

    private static async Task<JsonElement> OkAsync(HttpResponseMessage response)
    {
        var body = await response.JsonAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, body.GetRawText());
        return body;
    }

    private async Task<Guid?> SupersededByAsync(Guid turn) =>
        (await (await app.Client.GetAsync($"/chat/turns/{turn}")).JsonAsync()).GetProperty("superseded_by") is { ValueKind: JsonValueKind.String } by ? by.GetGuid() : null;

    private async Task<(int Position, string Content)[]> MessagesAsync(Guid session) =>
    [
        .. (await (await app.Client.GetAsync($"/chat/sessions/{session}/messages")).JsonAsync()).GetProperty("items").EnumerateArray()
            .Select(m => (m.GetProperty("position").GetInt32(), m.GetProperty("content").GetString()!)),
    ];
}
