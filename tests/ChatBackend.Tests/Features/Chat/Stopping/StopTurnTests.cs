using System.Net;
using System.Text.Json;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Tests.Infrastructure.Database;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace ChatBackend.Tests.Features.Chat.Stopping;

public sealed class StopTurnTests(ChatApp app) : IClassFixture<ChatApp>
{
    private const string Question = "How do two ROS 2 nodes talk to each other?";

    [Fact]
    public async Task What_was_written_so_far_is_kept_and_marked_as_stopped_everywhere()
    {
        var (session, key) = (Guid.NewGuid(), Guid.NewGuid().ToString());
        var gate = app.Model.AnswerInTwo("Over topics [1]. One pub", "lishes.");
        using var response = await app.AskAsync(new { message = Question, session_id = session }, key, accept: "text/event-stream");
        using var stream = new EventStream(response);
        var asking = app.AskAsync(new { message = Question, session_id = session }, key);
        await gate.WhenReached;
        var turn = await TurnAsync(session);
        await UntilWrittenAsync(turn, "Over topics [1]. One pub");

        var stopped = await StopAsync(turn);

        await app.Model.Requests[^1].Aborted.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        Assert.Equal("stopped", stopped.GetProperty("state").GetString());
        var answer = stopped.GetProperty("response");
        Assert.Equal("Over topics [1]. One pub", answer.GetProperty("response").GetString());
        Assert.Equal(("stopped", true), (answer.GetProperty("finish_reason").GetString(), answer.GetProperty("incomplete").GetBoolean()));
        Assert.Equal("/docs/ros2/topics#how-nodes-talk", Assert.Single(answer.GetProperty("citations").EnumerateArray()).GetProperty("url").GetString());
        var events = await stream.AllAsync();
        Assert.Equal("stopped", events[^1].Name);
        Assert.Equal("Over topics [1]. One pub", EventStream.Text(events));
        Assert.Equal(events[^1].Data.GetRawText(), await (await asking).Content.ReadAsStringAsync());
        Assert.Equal(events[^1].Data.GetRawText(), await (await app.AskAsync(new { message = Question, session_id = session }, key)).Content.ReadAsStringAsync());
        Assert.Equal(stopped.GetRawText(), (await (await app.Client.GetAsync($"/chat/turns/{turn}")).JsonAsync()).GetRawText());
        Assert.Equal([("user", false, Question), ("assistant", true, "Over topics [1]. One pub")], await MessagesAsync(session));
    }

    [Fact]
    public async Task The_next_question_does_not_wait_and_its_prompt_marks_the_answer_as_cut()
    {
        var session = Guid.NewGuid();
        var asking = await BeginAsync(session, "Over topics");
        await StopAsync(await TurnAsync(session));

        app.Model.Answer("Because.", model: "stub-model");
        await app.AnswerAsync(new { message = $"What does a node publish, {session}?", session_id = session });

        Assert.Contains(("assistant", "Over topics\n\n[This answer was cut off here.]"), app.Model.Requests[^1].Messages);
        Assert.Equal(HttpStatusCode.OK, (await asking).StatusCode);
    }

    [Fact]
    public async Task A_turn_that_waits_is_stopped_without_text_and_the_one_after_it_still_waits_for_the_first()
    {
        var session = Guid.NewGuid();
        var gate = app.Model.AnswerInTwo("First", "answer.");
        var first = app.AskAsync(new { message = Question, session_id = session });
        await gate.WhenReached;
        app.Model.Answer("Third answer.");
        var waiting = app.AskAsync(new { message = "Second question on ROS 2 nodes?", session_id = session });
        await Until.TrueAsync(async () => await TurnsAsync(session) == 2, "The second question was not stored.");

        var stopped = await StopAsync(await TurnAsync(session, number: 2));
        var third = app.AskAsync(new { message = "Third question on ROS 2 nodes?", session_id = session });
        await Until.TrueAsync(async () => await TurnsAsync(session) == 3, "The third question was not stored.");
        Assert.False(third.IsCompleted);
        gate.Open();

        Assert.Equal(("stopped", ""), (stopped.GetProperty("state").GetString(), stopped.GetProperty("response").GetProperty("response").GetString()));
        Assert.Equal(stopped.GetProperty("response").GetRawText(), await (await waiting).Content.ReadAsStringAsync());
        Assert.Equal("Firstanswer.", (await (await first).JsonAsync()).GetProperty("response").GetString());
        Assert.Equal("Third answer.", (await (await third).JsonAsync()).GetProperty("response").GetString());
        var shown = app.Model.Requests.Single(r => r.Messages[^1].Content == "Third question on ROS 2 nodes?").Messages.Skip(2);
        Assert.Equal([("user", Question), ("assistant", "Firstanswer."), ("user", "Third question on ROS 2 nodes?")], shown);
        Assert.DoesNotContain(app.Model.Requests, r => r.Messages[^1].Content == "Second question on ROS 2 nodes?");
    }

    [Fact]
    public async Task A_turn_is_stopped_before_the_first_word()
    {
        var session = Guid.NewGuid();
        app.Model.Hang();
        var before = app.Model.Requests.Count;
        var asking = app.AskAsync(new { message = Question, session_id = session });
        await Until.TrueAsync(() => app.Model.Requests.Count > before, "The model was not asked.");

        var stopped = await StopAsync(await TurnAsync(session));

        Assert.Equal("", stopped.GetProperty("response").GetProperty("response").GetString());
        Assert.Equal(HttpStatusCode.OK, (await asking).StatusCode);
        Assert.Equal([("user", false, Question), ("assistant", true, "")], await MessagesAsync(session));
    }

    [Fact]
    public async Task Stopping_many_times_at_once_and_again_is_the_same_answer()
    {
        var session = Guid.NewGuid();
        var asking = await BeginAsync(session, "Over topics");
        var turn = await TurnAsync(session);

        var stopped = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => StopAsync(turn)));

        Assert.Single(stopped.Append(await StopAsync(turn)).Select(s => s.GetRawText()).Distinct());
        Assert.Equal(HttpStatusCode.OK, (await asking).StatusCode);
        Assert.Equal(2, await app.ScalarAsync<int>("select count(*) from messages where session_id = @session", new { session }));
    }

    [Fact]
    public async Task A_turn_that_has_ended_stays_as_it_is()
    {
        var session = Guid.NewGuid();
        await app.AnswerAsync(new { message = Question, session_id = session });
        app.Model.Fail(400);
        await (await app.AskAsync(new { message = Question, session_id = session })).ProblemAsync(500, "model_failed");

        Assert.Equal("completed", (await StopAsync(await TurnAsync(session, number: 1))).GetProperty("state").GetString());
        Assert.Equal("failed", (await StopAsync(await TurnAsync(session, number: 2))).GetProperty("state").GetString());
        Assert.Equal(0, await app.ScalarAsync<int>("select count(*) from turns where session_id = @session and stop_requested_at is not null", new { session }));
    }

    [Fact]
    public async Task A_stop_that_meets_the_end_has_one_outcome()
    {
        var outcomes = new List<string>();
        for (var i = 0; i < 30; i++)
        {
            var session = Guid.NewGuid();
            var gate = app.Model.AnswerInTwo("Half an", "answer.");
            var asking = app.AskAsync(new { message = Question, session_id = session });
            await gate.WhenReached;
            var turn = await TurnAsync(session);
            var stopping = StopAsync(turn);
            gate.Open();

            var stopped = await stopping;

            outcomes.Add(stopped.GetProperty("state").GetString()!);
            Assert.Equal(stopped.GetProperty("response").GetRawText(), await (await asking).Content.ReadAsStringAsync());
            var answer = stopped.GetProperty("response").GetProperty("response").GetString();
            Assert.Equal(answer, await app.ScalarAsync<string>("select content from messages where session_id = @session and position = 2", new { session }));
            Assert.True(outcomes[^1] == "stopped" || answer == "Half ananswer.", answer);
        }

        Assert.All(outcomes, o => Assert.Contains(o, (string[])["stopped", "completed"]));
    }

    [Fact]
    public async Task A_failed_turn_that_is_asked_again_is_not_stopped_by_an_earlier_stop()
    {
        var (session, key) = (Guid.NewGuid(), Guid.NewGuid().ToString());
        app.Model.Fail(400);
        await (await app.AskAsync(new { message = Question, session_id = session }, key)).ProblemAsync(500, "model_failed");
        // As a stop leaves it that came just before the failure.
        await app.ExecuteAsync("update turns set stop_requested_at = now() where session_id = @session", new { session });
        app.Model.Answer("At last.");

        var answer = await (await app.AskAsync(new { message = Question, session_id = session }, key)).JsonAsync();

        Assert.Equal("At last.", answer.GetProperty("response").GetString());
        Assert.True(await app.ScalarAsync<bool>("select stop_requested_at is null from turns where session_id = @session", new { session }));
    }

    [Fact]
    public async Task A_turn_whose_process_died_after_its_reader_stopped_it_is_ended_without_the_model()
    {
        await using var own = new ChatApp { ["Turns:Beat"] = "00:00:00.100" };
        await own.InitializeAsync();
        var (session, turn) = (Guid.NewGuid(), Guid.NewGuid());
        await own.ExecuteAsync(
            """
            insert into chat_sessions (id, turn_count) values (@session, 1);
            insert into turns (id, session_id, number, request, attempt, takeovers, lease_owner, lease_until, stop_requested_at, partial_sources, partial_text)
            values (@turn, @session, 1, json_build_object('message', @Question), 1, @takeovers, gen_random_uuid(), now() - interval '1 minute', now(), '{"retrieved":[],"citations":[]}', @text);
            insert into messages (id, session_id, turn_id, position, role, content) values (gen_random_uuid(), @session, @turn, 1, 'user', @Question);
            """, new { session, turn, Question, takeovers = TurnOptions.MaxTakeovers, text = System.Text.Encoding.Unicode.GetBytes("Half 🤖 an") });

        await Until.TrueAsync(async () => await own.ScalarAsync<string>("select state::text from turns") == "stopped", "The turn does not end.");

        Assert.Equal("Half 🤖 an", await own.ScalarAsync<string>("select content from messages where position = 2"));
        Assert.Empty(own.Model.Requests);
    }

    [Fact]
    public async Task Insights_count_a_stopped_turn_and_do_not_take_its_question_for_unanswered()
    {
        await using var own = new ChatApp();
        await own.InitializeAsync();
        own.Model.Hang();
        var asking = own.AskAsync(new { message = "How do ROS 2 nodes talk?" });
        await Until.TrueAsync(() => own.Model.Requests.Count == 1, "The model was not asked.");
        await own.Client.PostAsync($"/chat/turns/{await own.ScalarAsync<Guid>("select id from turns")}/stop", null);

        var insights = await (await own.Client.GetAsync("/chat/insights")).JsonAsync();

        Assert.Equal("""{"total":1,"completed":0,"failed":0,"stopped":1,"running":0}""", insights.GetProperty("turns").GetRawText());
        Assert.Equal("""{"grounded":0,"partial":0,"none":0}""", insights.GetProperty("grounding").GetRawText());
        Assert.Empty(insights.GetProperty("unanswered").EnumerateArray());
        Assert.Equal(HttpStatusCode.OK, (await asking).StatusCode);
    }

    [Fact]
    public async Task A_beat_saves_the_text_of_a_stopped_turn_and_does_not_extend_its_lease()
    {
        var (session, turn, process) = (Guid.NewGuid(), Guid.NewGuid(), Guid.NewGuid());
        await app.ExecuteAsync(
            """
            insert into chat_sessions (id, turn_count) values (@session, 1);
            insert into turns (id, session_id, number, request, lease_owner, lease_until, stop_requested_at) values (@turn, @session, 1, '{}', @process, now() + interval '1 hour', now());
            """, new { session, turn, process });
        var lease = await LeaseAsync();

        await TurnLeases.RenewAsync(
            app.Services.GetRequiredService<NpgsqlDataSource>(), process, TimeSpan.FromHours(2), [(turn, 1, new(null, 0, "Half", 0))], TestContext.Current.CancellationToken);

        Assert.Equal(lease, await LeaseAsync());
        Assert.Equal(8, await app.ScalarAsync<int>("select octet_length(partial_text) from turns where id = @turn", new { turn }));

        Task<string?> LeaseAsync() => app.ScalarAsync<string>("select lease_until::text from turns where id = @turn", new { turn });
    }

    [Fact]
    public async Task While_no_turn_runs_the_database_is_not_asked_for_stops()
    {
        var database = await PostgresServer.CreateDatabaseAsync();
        await using var relay = new DatabaseRelay(database);
        var clock = new TickedClock();
        await using (var own = new ChatApp { Clock = clock, ["DATABASE_URL"] = relay.ConnectionString })
        {
            await own.InitializeAsync();
            relay.Drop("select id from turns where id = any(");
            var before = clock.Ticks;
            await Until.TrueAsync(() => clock.Ticks > before + 3, "Nobody looks for stops.");
            Assert.Equal(0, relay.Dropped);

            var gate = own.Model.AnswerInTwo("Half", "more.");
            var asking = own.AskAsync(new { message = Question });
            await gate.WhenReached;
            await Until.TrueAsync(() => relay.Dropped > 0, "The database is not asked for stops.");
            gate.Open();
            Assert.Equal(HttpStatusCode.OK, (await asking).StatusCode);
        }

        await PostgresServer.DropDatabaseAsync(database);
    }

    [Fact]
    public async Task A_session_that_is_deleted_while_its_turn_is_stopped_is_404()
    {
        var session = Guid.NewGuid();
        var asking = await BeginAsync(session, "Over topics");
        var turn = await TurnAsync(session);

        await Task.WhenAll(app.Client.DeleteAsync($"/chat/sessions/{session}"), app.Client.PostAsync($"/chat/turns/{turn}/stop", null));

        await (await app.Client.PostAsync($"/chat/turns/{turn}/stop", null)).ProblemAsync(404, "turn_not_found");
        Assert.Contains((await asking).StatusCode, (HttpStatusCode[])[HttpStatusCode.OK, HttpStatusCode.NotFound]);
        await app.Model.Requests[^1].Aborted.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
    }

    private async Task<Task<HttpResponseMessage>> BeginAsync(Guid session, string text)
    {
        var gate = app.Model.AnswerInTwo(text, "more.");
        var asking = app.AskAsync(new { message = Question, session_id = session });
        await gate.WhenReached;
        await UntilWrittenAsync(await TurnAsync(session), text);
        return asking;
    }

    private async Task<JsonElement> StopAsync(Guid turn)
    {
        var response = await app.Client.PostAsync($"/chat/turns/{turn}/stop", null);
        var body = await response.JsonAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, body.GetRawText());
        return body;
    }

    private Task UntilWrittenAsync(Guid turn, string text) => Until.TrueAsync(
        () => app.Services.GetRequiredService<TurnRunner>().Find(turn)?.Text == text, "The text does not arrive.");

    private Task<Guid> TurnAsync(Guid session, int number = 1) =>
        app.ScalarAsync<Guid>("select id from turns where session_id = @session and number = @number", new { session, number });

    private Task<int> TurnsAsync(Guid session) => app.ScalarAsync<int>("select count(*) from turns where session_id = @session", new { session });

    private async Task<(string, bool, string)[]> MessagesAsync(Guid session) =>
    [
        .. (await (await app.Client.GetAsync($"/chat/sessions/{session}/messages")).JsonAsync()).GetProperty("items").EnumerateArray()
            .Select(m => (m.GetProperty("role").GetString()!, m.GetProperty("is_stopped").GetBoolean(), m.GetProperty("content").GetString()!)),
    ];

    /// <summary>Counts how often the timers fire that fire four times a second.</summary>
    private sealed class TickedClock : TimeProvider
    {
        private int _ticks;

        public int Ticks => Volatile.Read(ref _ticks);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => base.CreateTimer(
            given =>
            {
                if (period == TimeSpan.FromMilliseconds(250))
                    Interlocked.Increment(ref _ticks);
                callback(given);
            },
            state, dueTime, period);
    }
}
