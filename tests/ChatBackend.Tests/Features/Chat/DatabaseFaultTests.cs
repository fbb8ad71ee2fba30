using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json;
using ChatBackend.Tests.Infrastructure.Database;
using Dapper;
using Npgsql;

namespace ChatBackend.Tests.Features.Chat;

/// <summary>What a broken connection to the database costs a turn: nothing, or a problem that says so.</summary>
public sealed class DatabaseFaultTests : IAsyncLifetime
{
    private const string Question = "How do two ROS 2 nodes talk to each other?";

    private string _database = "";
    private DatabaseRelay _relay = null!;
    private ChatApp _app = null!;

    public async ValueTask InitializeAsync()
    {
        _database = await PostgresServer.CreateDatabaseAsync();
        _relay = new(_database);
        _app = new ChatApp { ["DATABASE_URL"] = _relay.ConnectionString, ["Turns:Beat"] = "00:00:00.200", ["DAILY_TOKEN_BUDGET"] = "1000000" };
        await _app.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        _relay.Allow();
        await _app.DisposeAsync();
        await _relay.DisposeAsync();
        await PostgresServer.DropDatabaseAsync(_database);
    }

    [Theory]
    [InlineData("insert into chat_sessions", true)]
    [InlineData("insert into chat_sessions", false)]
    [InlineData("with ended as", true)]
    public async Task A_committed_statement_whose_reply_was_lost_is_not_repeated(string statement, bool hasKey)
    {
        _relay.LoseAnswerTo(statement);

        var answer = await _app.AskAsync(new { message = Question }, hasKey ? Guid.NewGuid().ToString() : null);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("The stub's answer.", (await answer.JsonAsync()).GetProperty("response").GetString());
        Assert.Equal(1, _relay.Lost);
        Assert.Single(_app.Model.Requests);
        Assert.Equal([(1, "user"), (2, "assistant")], await MessagesAsync());
        Assert.Equal("1 1 completed", await ScalarAsync("select concat_ws(' ', count(*), max(attempt), max(state::text)) from turns"));
    }

    [Theory]
    [InlineData("insert into chat_sessions")]
    [InlineData("update turns set superseded_by")]
    // The end of the text: a transaction begins with READ COMMITTED.
    [InlineData("COMMIT\0")]
    public async Task A_turn_is_regenerated_once_whichever_reply_was_lost(string statement)
    {
        var old = (await _app.AnswerAsync(new { message = Question })).GetProperty("turn_id").GetGuid();
        _relay.LoseAnswerTo(statement);

        var answer = await _app.Client.PostAsync($"/chat/turns/{old}/regenerate", null);

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(1, _relay.Lost);
        Assert.Equal("2 2", await ScalarAsync("select concat_ws(' ', turn_count, (select count(*) from turns)) from chat_sessions"));
        Assert.Equal([(1, "user"), (2, "assistant"), (3, "user"), (4, "assistant")], await MessagesAsync());
        Assert.Equal(2, _app.Model.Requests.Count);
    }

    [Theory]
    [InlineData("POST /chat", false)]
    [InlineData("POST /chat", true)]
    [InlineData("regenerate", false)]
    public async Task A_turn_whose_opening_lost_its_reply_is_answered_although_the_budget_was_spent_since(string route, bool hasKey)
    {
        var old = (await _app.AnswerAsync(new { message = Question })).GetProperty("turn_id").GetGuid();
        // Spent with the opening: its first try is the last one that passes.
        await ScalarAsync(
            """
            create function spend() returns trigger language plpgsql as $$
            begin
                insert into token_usage values (new.token_day, '', -1, 1000000);
                return null;
            end $$;
            create trigger spend after insert on turns for each row execute function spend();
            """);
        _relay.LoseAnswerTo("insert into chat_sessions");

        var answer = route == "regenerate"
            ? await _app.Client.PostAsync($"/chat/turns/{old}/regenerate", null)
            : await _app.AskAsync(new { message = Question }, hasKey ? Guid.NewGuid().ToString() : null);

        Assert.Equal("The stub's answer.", (await answer.JsonAsync()).GetProperty("response").GetString());
        Assert.Equal(1, _relay.Lost);
        // At once, and by the request itself: no lease had to lapse.
        Assert.Equal("2 1 completed", await ScalarAsync("select concat_ws(' ', count(*), max(attempt), max(state::text)) from turns"));
        await (await _app.AskAsync(new { message = Question })).ProblemAsync(429, "budget_spent");
    }

    [Fact]
    public async Task A_stop_whose_reply_was_lost_is_one_stop()
    {
        var gate = _app.Model.AnswerInTwo("Half", "more.");
        var asking = _app.AskAsync(new { message = Question });
        await gate.WhenReached;
        _relay.LoseAnswerTo("with asked as");

        var stopped = await (await _app.Client.PostAsync($"/chat/turns/{await TurnAsync()}/stop", null)).JsonAsync();

        Assert.Equal(1, _relay.Lost);
        Assert.Equal("stopped", stopped.GetProperty("state").GetString());
        Assert.Equal(stopped.GetProperty("response").GetRawText(), await (await asking).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_client_that_joins_a_turn_or_leaves_it_does_so_once_whichever_reply_was_lost()
    {
        var (gate, key) = (_app.Model.AnswerInTwo("Over", " topics."), $"{Guid.NewGuid()}");
        using var leaving = new CancellationTokenSource();
        var first = CompleteAsync(leaving.Token);
        await gate.WhenReached;
        _relay.LoseAnswerTo("with earlier as");
        var second = CompleteAsync(default);
        await Until.TrueAsync(async () => _relay.Lost == 1 && await ScalarAsync("select cardinality(followers)::text from turns") == "2", "The second client does not wait.");

        _relay.LoseAnswerTo("with asked as");
        await leaving.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        await Until.TrueAsync(async () => _relay.Lost == 2 && await ScalarAsync("select cardinality(followers)::text from turns") == "1", "The first client has not left once.");
        gate.Open();

        Assert.Contains("Over topics.", await second);
        Assert.Equal("1 completed", await ScalarAsync("select concat_ws(' ', attempt, state) from turns"));

        async Task<string> CompleteAsync(CancellationToken cancellationToken)
        {
            var request = new HttpRequestMessage(HttpMethod.Post, "/v1/chat/completions") { Content = JsonContent.Create(new { messages = new[] { new { role = "user", content = Question } } }) };
            request.Headers.Add("Idempotency-Key", key);
            using var response = await _app.Client.SendAsync(request, cancellationToken);
            return await response.Content.ReadAsStringAsync(cancellationToken);
        }
    }

    [Fact]
    public async Task A_stopped_answer_whose_end_cannot_be_stored_is_stored_when_the_database_is_back()
    {
        var gate = _app.Model.AnswerInTwo("Half", "more.");
        var asking = _app.AskAsync(new { message = Question });
        await gate.WhenReached;
        _relay.Drop("with ended as");
        var stopping = _app.Client.PostAsync($"/chat/turns/{await TurnAsync()}/stop", null);
        await Until.TrueAsync(() => _relay.Dropped >= 2, "Nobody ends the turn.");
        _relay.Drop(null);

        Assert.Equal("stopped", (await (await stopping).JsonAsync()).GetProperty("state").GetString());
        Assert.Equal("stopped", (await (await asking).JsonAsync()).GetProperty("finish_reason").GetString());
        Assert.Single(_app.Model.Requests);
    }

    [Fact]
    public async Task A_failure_whose_reply_was_lost_is_stored_once()
    {
        _app.Model.Fail(400);
        _relay.LoseAnswerTo("with ended as");

        await (await _app.AskAsync(new { message = Question })).ProblemAsync(500, "model_failed");

        Assert.Equal(1, _relay.Lost);
        Assert.Equal([(1, "user"), (2, "system")], await MessagesAsync());
        Assert.Equal("1 1 failed", await ScalarAsync("select concat_ws(' ', count(*), max(attempt), max(state::text)) from turns"));
    }

    [Fact]
    public async Task A_delete_whose_reply_was_lost_is_204_and_an_unknown_session_is_404()
    {
        var session = (await _app.AnswerAsync(new { message = Question })).GetProperty("session_id").GetGuid();
        _relay.LoseAnswerTo("delete from chat_sessions");

        Assert.Equal(HttpStatusCode.NoContent, (await _app.Client.DeleteAsync($"/chat/sessions/{session}")).StatusCode);

        Assert.Equal(1, _relay.Lost);
        await (await _app.Client.DeleteAsync($"/chat/sessions/{session}")).ProblemAsync(404, "session_not_found");
        _relay.LoseAnswerTo("from chat_sessions");
        await (await _app.Client.DeleteAsync($"/chat/sessions/{Guid.NewGuid()}")).ProblemAsync(404, "session_not_found");
        Assert.Equal(2, _relay.Lost);
    }

    [Fact]
    public async Task Feedback_whose_reply_was_lost_is_stored_once()
    {
        var message = (await _app.AnswerAsync(new { message = Question })).GetProperty("message_id").GetGuid();
        _relay.LoseAnswerTo("insert into message_feedback");

        var stored = await RateAsync(message);

        Assert.Equal(1, _relay.Lost);
        Assert.Equal("up", stored.GetProperty("rating").GetString());
        Assert.Equal("1 up t", await ScalarAsync("select concat_ws(' ', count(*), max(rating), bool_and(created_at = updated_at)) from message_feedback"));
    }

    [Fact]
    public async Task A_retry_of_feedback_after_a_lost_reply_does_not_overwrite_newer_feedback()
    {
        var message = (await _app.AnswerAsync(new { message = Question })).GetProperty("message_id").GetGuid();
        // The reader thinks again between the first try and its repeat.
        await ScalarAsync(
            """
            create function think_again() returns trigger language plpgsql as $$
            begin
                update message_feedback set rating = 'down', updated_at = clock_timestamp() where message_id = new.message_id;
                return null;
            end $$;
            create trigger think_again after insert on message_feedback for each row execute function think_again();
            """);
        _relay.LoseAnswerTo("insert into message_feedback");

        await RateAsync(message);

        Assert.Equal(1, _relay.Lost);
        Assert.Equal("down", await ScalarAsync("select rating from message_feedback"));
    }

    [Fact]
    public async Task A_failed_turn_whose_restart_lost_its_reply_still_ends()
    {
        var (key, session) = (Guid.NewGuid().ToString(), Guid.NewGuid());
        _app.Model.Fail(400);
        await (await AskAsync()).ProblemAsync(500, "model_failed");
        _relay.LoseAnswerTo("with earlier as");

        var answer = await (await AskAsync()).JsonAsync();

        Assert.Equal("The stub's answer.", answer.GetProperty("response").GetString());
        Assert.Equal(1, _relay.Lost);
        Assert.Equal([(1, "user"), (2, "assistant")], await MessagesAsync());
        // At once, and by the request itself: no lease had to lapse.
        Assert.Equal("2 0", await ScalarAsync("select concat_ws(' ', attempt, takeovers) from turns"));

        Task<HttpResponseMessage> AskAsync() => _app.AskAsync(new { message = Question, session_id = session }, key);
    }

    [Fact]
    public async Task A_finished_answer_waits_for_an_unavailable_database_and_the_model_is_not_asked_again()
    {
        var gate = _app.Model.AnswerInTwo("Over ", "topics [1].");
        var asking = _app.AskAsync(new { message = Question }, Guid.NewGuid().ToString());
        await gate.WhenReached;
        _relay.Refuse();
        gate.Open();
        // More than a statement is tried by itself.
        await Until.TrueAsync(() => _relay.Refused >= 10, "Nobody asks for the database.");
        _relay.Allow();

        var answer = await (await asking).JsonAsync();

        Assert.Equal("Over topics [1].", answer.GetProperty("response").GetString());
        Assert.Single(_app.Model.Requests);
        Assert.Equal("1 1 completed", await ScalarAsync("select concat_ws(' ', count(*), max(attempt), max(state::text)) from turns"));
    }

    [Fact]
    public async Task A_stream_reports_the_models_failure_while_the_database_is_unavailable()
    {
        var gate = _app.Model.AnswerInTwo("", "never");
        _app.Model.Fail(400);
        using var response = await _app.AskAsync(new { message = Question }, accept: "text/event-stream");
        using var stream = new EventStream(response);
        await gate.WhenReached;
        _relay.Refuse();
        gate.Reset();

        var events = await stream.AllAsync();

        Assert.Equal("error", events[^1].Name);
        Assert.Equal("model_failed", events[^1].Data.GetProperty("code").GetString());
        Assert.NotEqual("", events[^1].Data.GetProperty("trace_id").GetString());
    }

    [Fact]
    public async Task A_stream_of_another_replicas_turn_ends_with_a_problem_when_the_database_fails()
    {
        var (session, turn) = (Guid.NewGuid(), Guid.NewGuid());
        await using (var connection = new NpgsqlConnection(_database))
        {
            await connection.ExecuteAsync(
                """
                insert into chat_sessions (id, turn_count) values (@session, 1);
                insert into turns (id, session_id, number, request, lease_owner, lease_until, partial_sources, partial_text)
                values (@turn, @session, 1, '{}', gen_random_uuid(), now() + interval '1 hour', '{"retrieved":[],"citations":[]}', @text);
                """, new { session, turn, text = Encoding.Unicode.GetBytes("Half an") });
        }

        using var response = await _app.Client.GetAsync($"/chat/turns/{turn}/events", HttpCompletionOption.ResponseHeadersRead);
        using var stream = new EventStream(response);
        await stream.NextAsync();
        await stream.NextAsync();
        var delta = await stream.NextAsync();
        _relay.Refuse();

        var problem = Assert.Single(await stream.AllAsync());

        Assert.Equal("Half an", delta!.Data.GetProperty("text").GetString());
        Assert.Equal(("error", delta.Id), (problem.Name, problem.Id));
        Assert.Equal("database_unavailable", problem.Data.GetProperty("code").GetString());
        Assert.True(problem.Data.GetProperty("retry_after_seconds").GetInt32() > 0);
    }

    [Fact]
    public async Task Partial_text_is_saved_after_a_beat_that_did_not_reach_the_database()
    {
        _relay.Drop("partial_text = case");
        var gate = _app.Model.AnswerInTwo("Half 🤖 an", "answer.");
        using var asking = await _app.AskAsync(new { message = Question }, accept: "text/event-stream");
        await gate.WhenReached;
        var dropped = _relay.Dropped;
        // The second of them begins after the text is there.
        await Until.TrueAsync(() => _relay.Dropped >= dropped + 2, "Nobody saves the text.");
        _relay.Drop(null);

        await Until.TrueAsync(async () => await SavedTextAsync() == "Half 🤖 an", "The text was taken for saved though it was not.");

        gate.Open();
        using var stream = new EventStream(asking);
        Assert.Equal("Half 🤖 ananswer.", EventStream.Text(await stream.AllAsync()));
        Assert.Equal("", await SavedTextAsync());
    }

    [Fact]
    public async Task Partial_text_whose_reply_was_lost_is_saved_once()
    {
        var gate = _app.Model.AnswerInTwo("Half 🤖 an", "answer.");
        _relay.Drop("partial_text = case");
        using var asking = await _app.AskAsync(new { message = Question }, accept: "text/event-stream");
        await gate.WhenReached;
        var dropped = _relay.Dropped;
        await Until.TrueAsync(() => _relay.Dropped >= dropped + 2, "Nobody saves the text.");
        _relay.LoseAnswerTo("partial_text = case");
        _relay.Drop(null);
        await Until.TrueAsync(() => _relay.Lost == 1, "Nobody saves the text.");
        var lease = await ScalarAsync("select lease_until::text from turns");

        await Until.TrueAsync(async () => await ScalarAsync("select lease_until::text from turns") != lease, "The lease is not renewed.");

        Assert.Equal("Half 🤖 an", await SavedTextAsync());
        gate.Open();
        await asking.Content.ReadAsStringAsync();
    }

    private async Task<Guid> TurnAsync()
    {
        await using var connection = new NpgsqlConnection(_database);
        return await connection.ExecuteScalarAsync<Guid>("select id from turns");
    }

    private async Task<string> SavedTextAsync()
    {
        await using var connection = new NpgsqlConnection(_database);
        return Encoding.Unicode.GetString((await connection.ExecuteScalarAsync<byte[]>("select partial_text from turns"))!);
    }

    private async Task<JsonElement> RateAsync(Guid message)
    {
        var response = await _app.Client.PutAsJsonAsync($"/chat/messages/{message}/feedback", new { rating = "up" });
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.JsonAsync();
    }

    private async Task<IEnumerable<(int, string)>> MessagesAsync()
    {
        await using var connection = new NpgsqlConnection(_database);
        return await connection.QueryAsync<(int, string)>("select position, role::text from messages order by position");
    }

    private async Task<string?> ScalarAsync(string sql)
    {
        await using var connection = new NpgsqlConnection(_database);
        return await connection.ExecuteScalarAsync<string>(sql);
    }
}
