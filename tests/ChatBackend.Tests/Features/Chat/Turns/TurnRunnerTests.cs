using System.Net;
using ChatBackend.Features.Chat.Turns;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace ChatBackend.Tests.Features.Chat.Turns;

/// <summary>What becomes of turns when attempts overlap, give up, or meet what nobody thought of.</summary>
public sealed class TurnRunnerTests
{
    private const string Question = "How do two ROS 2 nodes talk to each other?";

    [Fact]
    public async Task An_attempt_that_is_replaced_in_its_own_process_is_cancelled_alone()
    {
        // One beat, at the start: leases are left to the test.
        await using var app = new ChatApp { ["Turns:Beat"] = "01:00:00" };
        await app.InitializeAsync();
        var (key, session) = (Guid.NewGuid().ToString(), Guid.NewGuid());
        var gate = app.Model.AnswerInTwo("Old", "attempt.");
        var first = app.AskAsync(new { message = Question, session_id = session }, key);
        await gate.WhenReached;
        await app.ExecuteAsync("update turns set lease_until = now() - interval '1 second'");

        var next = app.Model.AnswerInTwo("New ", "attempt.");
        var second = app.AskAsync(new { message = Question, session_id = session }, key);
        await next.WhenReached;

        var turn = await app.ScalarAsync<Guid>("select id from turns");
        var runner = app.Services.GetRequiredService<TurnRunner>();
        // Long before the time limit of the model would end it.
        await app.Model.Requests[0].Aborted.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        await Until.TrueAsync(() => runner.Attempts.Count == 1, "The first attempt does not end.");
        Assert.Equal(2, runner.Find(turn)?.Turn.Attempt);
        next.Open();
        Assert.All(await Task.WhenAll(first, second), a => Assert.Equal(HttpStatusCode.OK, a.StatusCode));
        Assert.Equal("New attempt.", await app.ScalarAsync<string>("select content from messages where role = 'assistant'"));
        await Until.TrueAsync(() => runner.Attempts.Count == 0 && runner.Find(turn) is null, "Something is left of the turn.");
    }

    [Fact]
    public async Task A_failed_turn_can_be_retried_without_limit()
    {
        await using var app = new ChatApp();
        await app.InitializeAsync();
        var (key, session) = (Guid.NewGuid().ToString(), Guid.NewGuid());
        app.Model.Fail(400, times: 6);
        for (var i = 0; i < 6; i++)
            await (await AskAsync()).ProblemAsync(500, "model_failed");
        app.Model.Answer("At last [1].");

        var answer = await (await AskAsync()).JsonAsync();

        Assert.Equal("At last [1].", answer.GetProperty("response").GetString());
        Assert.Equal(1, await app.ScalarAsync<int>("select count(*) from turns"));

        Task<HttpResponseMessage> AskAsync() => app.AskAsync(new { message = Question, session_id = session }, key);
    }

    [Fact]
    public async Task A_turn_that_crashes_every_process_is_given_up()
    {
        await using var app = new ChatApp { ["Turns:Beat"] = "00:00:00.100" };
        await app.InitializeAsync();
        var turn = await LeaveBehindAsync(app, takeovers: TurnOptions.MaxTakeovers);

        await UntilEndedAsync(app, turn);

        Assert.Equal("turn_abandoned", await app.ScalarAsync<string>("select error ->> 'code' from turns"));
        Assert.Empty(app.Model.Requests);
    }

    [Fact]
    public async Task A_readers_retries_do_not_use_up_the_takeovers_of_a_crash()
    {
        await using var app = new ChatApp { ["Turns:Beat"] = "00:00:00.100" };
        await app.InitializeAsync();
        var (key, session) = (Guid.NewGuid().ToString(), Guid.NewGuid());
        app.Model.Fail(400, times: 3);
        for (var i = 0; i < 3; i++)
            await (await AskAsync()).ProblemAsync(500, "model_failed");
        var gate = app.Model.AnswerInTwo("Never", "told.");
        var asking = AskAsync();
        await gate.WhenReached;

        await LoseProcessAsync(app);

        var answer = await (await asking).JsonAsync();
        Assert.Equal("The stub's answer.", answer.GetProperty("response").GetString());
        Assert.Equal("5 1", await app.ScalarAsync<string>("select concat_ws(' ', attempt, takeovers) from turns"));

        Task<HttpResponseMessage> AskAsync() => app.AskAsync(new { message = Question, session_id = session }, key);
    }

    [Fact]
    public async Task An_abandoned_turn_gets_all_its_takeovers_back_when_its_reader_retries()
    {
        await using var app = new ChatApp { ["Turns:Beat"] = "00:00:00.100" };
        await app.InitializeAsync();
        var (key, session) = (Guid.NewGuid().ToString(), Guid.NewGuid());
        var gate = app.Model.AnswerInTwo("Never", "told.");
        var asking = AskAsync();
        await gate.WhenReached;
        await LoseProcessAsync(app, takeovers: TurnOptions.MaxTakeovers);
        await (await asking).ProblemAsync(500, "turn_abandoned");
        gate = app.Model.AnswerInTwo("Never", "told.");
        asking = AskAsync();
        await gate.WhenReached.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);

        await LoseProcessAsync(app);

        Assert.Equal("The stub's answer.", (await (await asking).JsonAsync()).GetProperty("response").GetString());
        Assert.Equal(1, await app.ScalarAsync<int>("select takeovers from turns"));

        Task<HttpResponseMessage> AskAsync() => app.AskAsync(new { message = Question, session_id = session }, key);
    }

    [Fact]
    public async Task A_turn_that_its_reader_takes_over_counts_the_process_that_died_with_it()
    {
        // One beat, at the start: nobody but the reader finds the turn.
        await using var app = new ChatApp { ["Turns:Beat"] = "01:00:00" };
        await app.InitializeAsync();
        var (key, session) = (Guid.NewGuid().ToString(), Guid.NewGuid());
        for (var i = 0; i < TurnOptions.MaxTakeovers; i++)
        {
            var gate = app.Model.AnswerInTwo("Never", "told.");
            _ = AskAsync();
            await gate.WhenReached;
            await LoseProcessAsync(app);
        }

        Assert.Equal("The stub's answer.", (await (await AskAsync()).JsonAsync()).GetProperty("response").GetString());
        Assert.Equal(TurnOptions.MaxTakeovers, await app.ScalarAsync<int>("select takeovers from turns"));

        Task<HttpResponseMessage> AskAsync() => app.AskAsync(new { message = Question, session_id = session }, key);
    }

    [Fact]
    public async Task A_turn_that_was_handed_on_and_that_its_reader_takes_over_counts_no_death()
    {
        await using var app = new ChatApp { ["Turns:Beat"] = "01:00:00" };
        await app.InitializeAsync();
        var (key, session) = (Guid.NewGuid().ToString(), Guid.NewGuid());
        var gate = app.Model.AnswerInTwo("Never", "told.");
        _ = AskAsync();
        await gate.WhenReached;
        await app.ExecuteAsync("update turns set lease_owner = null, lease_until = now() - interval '1 second'");

        Assert.Equal(HttpStatusCode.OK, (await AskAsync()).StatusCode);
        Assert.Equal("2 0", await app.ScalarAsync<string>("select concat_ws(' ', attempt, takeovers) from turns"));

        Task<HttpResponseMessage> AskAsync() => app.AskAsync(new { message = Question, session_id = session }, key);
    }

    [Fact]
    public async Task A_turn_that_was_taken_over_shows_the_model_ten_messages_and_no_more()
    {
        await using var app = new ChatApp { ["Turns:Beat"] = "00:00:00.100" };
        await app.InitializeAsync();
        var turn = await LeaveBehindAsync(app, turnsBefore: 7);

        await UntilEndedAsync(app, turn);

        var shown = Assert.Single(app.Model.Requests).Messages.Skip(2).Select(m => m.Content);
        Assert.Equal([.. Enumerable.Range(6, 9).Select(p => $"stored {p}"), Question], shown);
    }

    [Fact]
    public async Task An_unexpected_failure_stops_neither_the_service_nor_the_leases()
    {
        await using var app = new ChatApp { ["Turns:Beat"] = "00:00:00.100", ["Turns:Lease"] = "00:00:01" };
        await app.InitializeAsync();
        // The row does not fit its record any more: no exception of Npgsql's.
        await app.ExecuteAsync("alter table turns alter column attempt type bigint");
        var turn = await LeaveBehindAsync(app);
        await Until.TrueAsync(async () => await app.ScalarAsync<long>("select attempt from turns") > 1, "Nobody looked at the turn.");
        await app.ExecuteAsync("alter table turns alter column attempt type integer; update turns set attempt = 1");

        await UntilEndedAsync(app, turn);

        Assert.Equal("completed", await app.ScalarAsync<string>("select state::text from turns"));
        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/health")).StatusCode);
    }

    [Fact]
    public async Task A_turn_that_was_taken_over_cannot_be_ended_by_its_old_owner()
    {
        await using var app = new ChatApp { ["Turns:Beat"] = "01:00:00" };
        await app.InitializeAsync();
        var session = Guid.NewGuid();
        var gate = app.Model.AnswerInTwo("Old", "attempt.");
        var asking = app.AskAsync(new { message = Question, session_id = session });
        await gate.WhenReached;
        // Another replica has it now.
        await app.ExecuteAsync("update turns set attempt = 2, lease_owner = gen_random_uuid()");
        var runner = app.Services.GetRequiredService<TurnRunner>();

        gate.Open();
        await Until.TrueAsync(() => runner.Attempts.Count == 0, "The attempt does not end.");

        Assert.Equal("running", await app.ScalarAsync<string>("select state::text from turns"));
        Assert.Equal(1, await app.ScalarAsync<int>("select count(*) from messages"));
        await app.Client.DeleteAsync($"/chat/sessions/{session}");
        await (await asking).ProblemAsync(404, "session_not_found");
    }

    [Fact]
    public async Task A_turn_that_outlasts_the_shutdown_is_released_at_once_and_its_reader_gets_server_stopping()
    {
        await using var app = new ChatApp();
        await app.InitializeAsync();
        var gate = app.Model.AnswerInTwo("Never", "told.");
        var asking = app.AskAsync(new { message = Question });
        await gate.WhenReached;

        await app.Services.GetRequiredService<TurnLeases>().StopAsync(new(canceled: true));

        await app.Model.Requests[0].Aborted.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        Assert.True(await app.ScalarAsync<bool>("select state = 'running' and attempt = 1 and lease_until < now() from turns"));
        await using var next = new ChatApp { ["DATABASE_URL"] = app.Database };
        await next.InitializeAsync();
        var told = await (await asking).ProblemAsync(503, "server_stopping");
        await UntilEndedAsync(next, told.GetProperty("turn_id").GetGuid());
        Assert.Equal("The stub's answer.", await app.ScalarAsync<string>("select content from messages where role = 'assistant'"));
        // No process died with it.
        Assert.Equal("2 0", await app.ScalarAsync<string>("select concat_ws(' ', attempt, takeovers) from turns"));
        Assert.Single(next.Model.Requests);
    }

    [Fact]
    public async Task A_renewal_that_lands_after_the_release_does_not_hold_the_turn()
    {
        await using var app = new ChatApp { ["Turns:Beat"] = "01:00:00" };
        await app.InitializeAsync();
        var gate = app.Model.AnswerInTwo("An ", "answer.");
        var asking = app.AskAsync(new { message = Question });
        await gate.WhenReached;
        var database = app.Services.GetRequiredService<NpgsqlDataSource>();
        var process = app.Services.GetRequiredService<TurnRunner>().Process;
        var turn = await app.ScalarAsync<Guid>("select id from turns");
        Assert.Equal([turn], (await RenewAsync()).Keys);

        await TurnLeases.ReleaseAsync(database, process, TestContext.Current.CancellationToken);

        Assert.Empty(await RenewAsync());
        Assert.True(await app.ScalarAsync<bool>("select lease_until < now() from turns"));
        gate.Open();
        Assert.Equal(HttpStatusCode.OK, (await asking).StatusCode);

        Task<IReadOnlyDictionary<Guid, int>> RenewAsync() =>
            TurnLeases.RenewAsync(database, process, TimeSpan.FromMinutes(1), [(turn, 1, new(null, 0, "", 0))], TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Text_that_the_database_has_in_part_or_not_up_to_there_is_saved_once_and_without_a_gap()
    {
        await using var app = new ChatApp { ["Turns:Beat"] = "01:00:00" };
        await app.InitializeAsync();
        var gate = app.Model.AnswerInTwo("An ", "answer.");
        var asking = app.AskAsync(new { message = Question });
        await gate.WhenReached;

        // The reply to the first is lost, and more is written since; the third is behind what the database lost.
        var saved = new[] { await SaveAsync(0, "Half 🤖"), await SaveAsync(0, "Half 🤖 an"), await SaveAsync(20, "swer"), await SaveAsync(10, "swer") };

        Assert.Equal([7, 10, 10, 14], saved);
        Assert.Equal("Half 🤖 answer", System.Text.Encoding.Unicode.GetString((await app.ScalarAsync<byte[]>("select partial_text from turns"))!));
        gate.Open();
        Assert.Equal(HttpStatusCode.OK, (await asking).StatusCode);

        async Task<int> SaveAsync(int start, string text) => (await TurnLeases.RenewAsync(
            app.Services.GetRequiredService<NpgsqlDataSource>(), app.Services.GetRequiredService<TurnRunner>().Process, TimeSpan.FromMinutes(1),
            [(await app.ScalarAsync<Guid>("select id from turns"), 1, new(null, start, text, 0))], TestContext.Current.CancellationToken)).Values.Single();
    }

    [Fact]
    public async Task Turns_that_wait_for_the_model_hold_no_connection()
    {
        var database = await PostgresServer.CreateDatabaseAsync();
        await using var app = new ChatApp { ["DATABASE_URL"] = $"{database};Maximum Pool Size=2" };
        await app.InitializeAsync();
        var gates = Enumerable.Range(0, 8).Select(_ => app.Model.AnswerInTwo("Half", "more.")).ToArray();

        var asking = gates.Select(_ => app.AskAsync(new { message = Question })).ToArray();
        await Task.WhenAll(gates.Select(g => g.WhenReached)).WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/health/ready")).StatusCode);
        Array.ForEach(gates, g => g.Open());
        Assert.All(await Task.WhenAll(asking), a => Assert.Equal(HttpStatusCode.OK, a.StatusCode));
        await PostgresServer.DropDatabaseAsync(database);
    }

    /// <summary>A turn as a killed process leaves it.</summary>
    private static async Task<Guid> LeaveBehindAsync(ChatApp app, int takeovers = 0, int turnsBefore = 0)
    {
        var (session, turn) = (Guid.NewGuid(), Guid.NewGuid());
        await app.ExecuteAsync(
            """
            insert into chat_sessions (id, turn_count) values (@session, @turnsBefore + 1);
            insert into turns (id, session_id, number, state, request, ended_at)
            select gen_random_uuid(), @session, n, 'completed', '{}', now()
            from generate_series(1, @turnsBefore) as n;
            insert into messages (id, session_id, turn_id, position, role, content)
            select gen_random_uuid(), @session, t.id, p, (case when p % 2 = 1 then 'user' else 'assistant' end)::message_role, 'stored ' || p
            from generate_series(1, @turnsBefore * 2) as p
            join turns as t on t.session_id = @session and t.number = (p + 1) / 2;
            insert into turns (id, session_id, number, request, attempt, takeovers, lease_owner, lease_until)
            values (@turn, @session, @turnsBefore + 1, json_build_object('message', @Question), @takeovers + 1, @takeovers, gen_random_uuid(), now() - interval '1 minute');
            insert into messages (id, session_id, turn_id, position, role, content) values (gen_random_uuid(), @session, @turn, @turnsBefore * 2 + 1, 'user', @Question);
            """, new { session, turn, takeovers, turnsBefore, Question });
        return turn;
    }

    /// <summary>As if another process had the running turn, and died.</summary>
    private static Task LoseProcessAsync(ChatApp app, int? takeovers = null) => app.ExecuteAsync(
        """
        update turns
        set lease_owner = gen_random_uuid(), lease_until = now() - interval '1 minute', takeovers = coalesce(@takeovers, takeovers)
        where state = 'running'
        """, new { takeovers });

    private static Task UntilEndedAsync(ChatApp app, Guid turn) => Until.TrueAsync(
        async () => (await (await app.Client.GetAsync($"/chat/turns/{turn}")).JsonAsync()).GetProperty("state").GetString() is "completed" or "failed",
        "The turn does not end.");
}
