using System.Net;
using System.Net.Http.Json;
using Dapper;

namespace ChatBackend.Tests.Features.Chat.Turns;

public sealed class IdempotencyTests(ChatApp app) : IClassFixture<ChatApp>
{
    private const string Question = "How do two ROS 2 nodes talk to each other?";

    [Fact]
    public async Task The_same_key_and_body_return_the_same_bytes()
    {
        var key = NewKey();
        var before = app.Model.Requests.Count;
        var first = await app.AskAsync(new { message = Question }, key);
        var second = await app.AskAsync(new { message = Question }, $"\"{key}\"");

        Assert.Equal(await first.Content.ReadAsStringAsync(), await second.Content.ReadAsStringAsync());
        Assert.Equal(before + 1, app.Model.Requests.Count);
        Assert.Equal(1, await app.ScalarAsync<int>("select count(*) from turns where idempotency_key = @key", new { key }));
    }

    [Fact]
    public async Task Fifty_requests_at_the_same_instant_are_one_turn_and_one_call()
    {
        var (key, session) = (NewKey(), Guid.NewGuid());
        var before = app.Model.Requests.Count;
        var gate = app.Model.AnswerInTwo("One", "answer.");

        var asking = Enumerable.Range(0, 50).Select(_ => app.AskAsync(new { message = Question, session_id = session }, key)).ToArray();
        await gate.WhenReached;
        gate.Open();
        var bodies = await Task.WhenAll((await Task.WhenAll(asking)).Select(r => r.Content.ReadAsStringAsync()));

        Assert.Single(bodies.Distinct());
        Assert.Contains("One", bodies[0]);
        Assert.Equal(before + 1, app.Model.Requests.Count);
        Assert.Equal(2, await app.ScalarAsync<int>("select count(*) from messages where session_id = @session", new { session }));
        Assert.Equal(1, await app.ScalarAsync<int>("select turn_count from chat_sessions where id = @session", new { session }));
    }

    [Fact]
    public async Task The_same_key_with_another_body_is_422()
    {
        var (key, session) = (NewKey(), Guid.NewGuid());
        await app.AskAsync(new { message = Question, session_id = session }, key);

        await (await app.AskAsync(new { message = "Another question?", session_id = session }, key)).ProblemAsync(422, "idempotency_key_reused");

        Assert.Equal(2, await app.ScalarAsync<int>("select count(*) from messages where session_id = @session", new { session }));
    }

    [Fact]
    public async Task The_same_key_in_another_session_is_another_turn()
    {
        var key = NewKey();
        var first = await (await app.AskAsync(new { message = Question, session_id = Guid.NewGuid() }, key)).JsonAsync();
        var second = await (await app.AskAsync(new { message = Question, session_id = Guid.NewGuid() }, key)).JsonAsync();

        Assert.NotEqual(first.GetProperty("turn_id").GetString(), second.GetProperty("turn_id").GetString());
    }

    [Theory]
    [InlineData("1")]
    [InlineData("retry-1")]
    [InlineData("00000000-0000-0000-0000-000000000000")]
    public async Task A_key_that_another_reader_may_choose_too_is_refused_without_a_token_and_a_session(string key)
    {
        var problem = await (await app.AskAsync(new { message = Question }, key)).ProblemAsync(400, "invalid_request");

        Assert.Contains("UUID", problem.GetProperty("errors").GetProperty("idempotency-key")[0].GetString());
        Assert.Equal(0, await app.ScalarAsync<int>("select count(*) from turns where idempotency_key = @key", new { key }));
        // Within a session, whose id nobody else knows, it is as good as any.
        Assert.Equal(HttpStatusCode.OK, (await app.AskAsync(new { message = Question, session_id = Guid.NewGuid() }, key)).StatusCode);
    }

    [Fact]
    public async Task An_anonymous_key_is_not_bound_to_the_clients_address()
    {
        var key = NewKey().ToUpperInvariant();
        var first = await AskFromAsync("203.0.113.7");
        var second = await AskFromAsync("198.51.100.9");

        Assert.Equal(first, second);
        Assert.Equal("anonymous", await app.ScalarAsync<string>("select idempotency_scope from turns where idempotency_key = @key", new { key }));

        async Task<string> AskFromAsync(string address)
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/chat")
            {
                Content = JsonContent.Create(new { message = Question }),
                Headers = { { "Idempotency-Key", key }, { "X-Real-IP", address } },
            };
            return await (await app.Client.SendAsync(request)).Content.ReadAsStringAsync();
        }
    }

    [Theory]
    [InlineData("with space")]
    [InlineData("\"\"")]
    public async Task A_malformed_key_is_refused(string key) =>
        await (await app.AskAsync(new { message = Question }, key)).ProblemAsync(400, "invalid_request");

    [Fact]
    public async Task A_key_of_256_characters_is_refused() =>
        await (await app.AskAsync(new { message = Question }, new string('k', 256))).ProblemAsync(400, "invalid_request");

    [Fact]
    public async Task A_refused_request_does_not_use_up_its_key()
    {
        var key = NewKey();
        await (await app.AskAsync(new { message = "" }, key)).ProblemAsync(400, "invalid_request");

        Assert.Equal(HttpStatusCode.OK, (await app.AskAsync(new { message = Question }, key)).StatusCode);
    }

    [Fact]
    public async Task A_turn_that_failed_is_tried_again_with_its_key_and_keeps_its_place()
    {
        var (key, session) = (NewKey(), Guid.NewGuid());
        app.Model.Fail(400, "bad_request");
        var failed = await (await app.AskAsync(new { message = Question, session_id = session }, key)).ProblemAsync(500, "model_failed");
        app.Model.Answer("A later answer.");
        await app.AnswerAsync(new { message = "Which later question about ROS 2 services is this?", session_id = session });

        app.Model.Answer("At last [1].");
        var answered = await (await app.AskAsync(new { message = Question, session_id = session }, key)).JsonAsync();

        Assert.Equal(failed.GetProperty("turn_id").GetString(), answered.GetProperty("turn_id").GetString());
        Assert.Equal("At last [1].", answered.GetProperty("response").GetString());
        await using var database = await app.OpenDatabaseAsync();
        Assert.Equal(
            [(1, "user"), (2, "assistant"), (3, "user"), (4, "assistant")],
            await database.QueryAsync<(int, string)>("select position, role::text from messages where session_id = @session order by position", new { session }));
        Assert.Equal(2, await database.ExecuteScalarAsync<int>("select attempt from turns where idempotency_key = @key", new { key }));
    }

    [Fact]
    public async Task A_turn_whose_process_died_restarts_when_the_client_retries()
    {
        var (key, session) = (NewKey(), Guid.NewGuid());
        app.Model.Answer("Before the crash.");
        await app.AskAsync(new { message = Question, session_id = session }, key);
        // As a kill in the middle leaves it: running, with a lease that nobody renews.
        await app.ExecuteAsync(
            """
            update turns set state = 'running', ended_at = null, response = null, lease_owner = gen_random_uuid(), lease_until = now() - interval '1 hour'
            where idempotency_key = @key;
            delete from messages where session_id = @session and role = 'assistant';
            """, new { key, session });
        app.Model.Answer("After the crash.");

        var answered = await (await app.AskAsync(new { message = Question, session_id = session }, key)).JsonAsync();

        Assert.Equal("After the crash.", answered.GetProperty("response").GetString());
        Assert.Equal(2, await app.ScalarAsync<int>("select count(*) from messages where session_id = @session", new { session }));
    }

    [Fact]
    public async Task A_key_whose_session_is_deleted_meanwhile_is_free_again()
    {
        // The first insert finds that the key is taken; after that its row is gone.
        await app.ExecuteAsync(
            """
            create sequence asked;
            create function find_taken() returns trigger language plpgsql as $$
            begin
                if new.idempotency_key = '6d9c7d52-2f0e-4c56-9c39-0b7a4f1e8d21' and nextval('asked') = 1 then
                    raise unique_violation using constraint = 'turns_idempotency_key';
                end if;
                return new;
            end $$;
            create trigger find_taken before insert on turns for each row execute function find_taken();
            """);

        var response = await app.AskAsync(new { message = Question }, "6d9c7d52-2f0e-4c56-9c39-0b7a4f1e8d21");

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        await app.ExecuteAsync("drop trigger find_taken on turns");
    }

    [Fact]
    public async Task A_retry_for_an_answer_is_not_rate_limited()
    {
        await using var limited = new ChatApp { ["RATE_LIMIT_CHAT"] = "2" };
        await limited.InitializeAsync();
        var (answered, failed) = (NewKey(), NewKey());
        var first = await limited.AskAsync(new { message = Question }, answered);
        limited.Model.Fail(400);
        await (await limited.AskAsync(new { message = Question }, failed)).ProblemAsync(500, "model_failed");

        var again = await limited.AskAsync(new { message = Question }, answered);

        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        Assert.Equal(await first.Content.ReadAsStringAsync(), await again.Content.ReadAsStringAsync());
        await (await limited.AskAsync(new { message = "Another?" }, answered)).ProblemAsync(422, "idempotency_key_reused");
        // These would ask the model.
        foreach (var key in (string?[])[failed, NewKey(), null])
        {
            var refused = await limited.AskAsync(new { message = Question }, key);
            await refused.ProblemAsync(429, "rate_limited");
            Assert.NotNull(refused.Headers.RetryAfter);
        }

        Assert.Equal(2, limited.Model.Requests.Count);
    }

    private static string NewKey() => Guid.NewGuid().ToString();
}
