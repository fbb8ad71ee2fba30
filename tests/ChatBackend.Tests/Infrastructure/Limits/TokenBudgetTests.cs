using System.Net;
using System.Net.Http.Json;
using ChatBackend.Infrastructure.Limits;
using ChatBackend.Tests.Features.Chat;
using ChatBackend.Tests.Infrastructure.Auth;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Infrastructure.Limits;

/// <summary>What models may use in a day. The stub reports 18 tokens for each call. Clients are addresses that a trusted proxy names.</summary>
public sealed class TokenBudgetTests
{
    private const string Question = "How do ROS 2 nodes talk to each other?";
    private const int OfOneCall = 18;

    private static readonly DateTimeOffset LateInTheEvening = new(2026, 11, 21, 23, 58, 30, TimeSpan.Zero);

    [Fact]
    public async Task A_client_that_has_used_up_its_tokens_is_refused_until_midnight_UTC()
    {
        var clock = new MovedClock();
        clock.StopAt(LateInTheEvening);
        await using var app = await StartAsync(clock, ("DAILY_TOKENS_PER_CLIENT", "20"));

        Assert.Equal(HttpStatusCode.OK, (await AskAsync(app, "203.0.113.1")).StatusCode);
        // 18 of 20 are used: what has begun may use more.
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(app, "203.0.113.1")).StatusCode);
        var refused = await AskAsync(app, "203.0.113.1");

        await refused.ProblemAsync(429, "budget_spent");
        Assert.Equal(TimeSpan.FromSeconds(90), refused.Headers.RetryAfter?.Delta);
        Assert.Equal(2, await app.ScalarAsync<int>("select count(*) from turns"));
        Assert.Equal(2, await app.ScalarAsync<int>("select count(*) from chat_sessions"));
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(app, "203.0.113.2")).StatusCode);

        clock.Move(TimeSpan.FromSeconds(89));
        await (await AskAsync(app, "203.0.113.1")).ProblemAsync(429, "budget_spent");
        clock.Move(TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(app, "203.0.113.1")).StatusCode);
    }

    [Fact]
    public async Task The_services_budget_holds_for_all_clients_and_all_replicas()
    {
        await using var first = await StartAsync(clock: null, ("DAILY_TOKEN_BUDGET", "36"));
        await using var second = await StartAsync(clock: null, ("DAILY_TOKEN_BUDGET", "36"), ("DATABASE_URL", first.Database));

        Assert.Equal(HttpStatusCode.OK, (await AskAsync(first, "203.0.113.1")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(second, "203.0.113.2")).StatusCode);

        foreach (var replica in (ChatApp[])[first, second])
            await (await AskAsync(replica, "203.0.113.3")).ProblemAsync(429, "budget_spent");
    }

    [Fact]
    public async Task A_turn_that_was_opened_before_is_answered_although_the_budget_is_spent()
    {
        await using var app = await StartAsync(clock: null, ("DAILY_TOKENS_PER_CLIENT", "20"));
        var (answered, failed) = ($"{Guid.NewGuid()}", $"{Guid.NewGuid()}");
        app.Model.Fail(400);
        await (await AskAsync(app, "203.0.113.1", failed)).ProblemAsync(500, "model_failed");
        var first = await AskAsync(app, "203.0.113.1", answered);
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(app, "203.0.113.1")).StatusCode);
        var calls = app.Model.Requests.Count;

        var again = await AskAsync(app, "203.0.113.1", answered);

        Assert.Equal(await first.Content.ReadAsStringAsync(), await again.Content.ReadAsStringAsync());
        await (await AskAsync(app, "203.0.113.1", answered, new { message = "Another?" })).ProblemAsync(422, "idempotency_key_reused");
        // These would ask the model.
        await (await AskAsync(app, "203.0.113.1", failed)).ProblemAsync(429, "budget_spent");
        await (await AskAsync(app, "203.0.113.1", $"{Guid.NewGuid()}")).ProblemAsync(429, "budget_spent");
        Assert.Equal(calls, app.Model.Requests.Count);
    }

    [Fact]
    public async Task A_failed_turn_that_was_replaced_keeps_its_failure_when_the_budget_or_the_rate_is_used_up()
    {
        await using var app = await StartAsync(clock: null, ("DAILY_TOKENS_PER_CLIENT", "18"), ("RATE_LIMIT_CHAT", "2"));
        var key = $"{Guid.NewGuid()}";
        app.Model.Fail(400);
        var failed = (await (await AskAsync(app, "203.0.113.1", key)).ProblemAsync(500, "model_failed")).GetProperty("turn_id").GetString();
        var again = new HttpRequestMessage(HttpMethod.Post, $"/chat/turns/{failed}/regenerate") { Headers = { { "X-Forwarded-For", "203.0.113.1" } } };
        Assert.Equal(HttpStatusCode.OK, (await app.Client.SendAsync(again)).StatusCode);
        await (await AskAsync(app, "203.0.113.1")).ProblemAsync(429, "rate_limited");

        await (await AskAsync(app, "203.0.113.1", key)).ProblemAsync(500, "model_failed");
        Assert.Single(app.Model.Requests.Skip(1));
    }

    [Fact]
    public async Task With_the_fallback_the_book_is_quoted_once_the_budget_is_spent()
    {
        await using var app = await StartAsync(clock: null, ("DAILY_TOKEN_BUDGET", "10"), ("BUDGET_FALLBACK", "offline"));
        var key = $"{Guid.NewGuid()}";
        app.Model.Fail(400);
        await (await AskAsync(app, "203.0.113.1", key)).ProblemAsync(500, "model_failed");
        Assert.Equal("gpt-4o-mini", (await (await AskAsync(app, "203.0.113.1")).JsonAsync()).GetProperty("model").GetString());
        var calls = app.Model.Requests.Count;

        var quoted = await (await AskAsync(app, "203.0.113.1")).JsonAsync();
        var again = await (await AskAsync(app, "203.0.113.1", key)).JsonAsync();

        Assert.Equal("offline-extractive", quoted.GetProperty("model").GetString());
        Assert.Equal("offline-extractive", again.GetProperty("model").GetString());
        Assert.Contains("topics", quoted.GetProperty("response").GetString());
        Assert.Equal(calls, app.Model.Requests.Count);
        Assert.Equal(OfOneCall, await UsedAsync(app));
    }

    [Fact]
    public async Task The_rewriting_of_a_follow_up_counts()
    {
        await using var app = await StartAsync(clock: null);
        var session = Guid.NewGuid();
        await AskAsync(app, "203.0.113.1", body: new { message = Question, session_id = session });
        await AskAsync(app, "203.0.113.1", body: new { message = "and why?", session_id = session });

        Assert.Equal(3, app.Model.Requests.Count);
        Assert.Equal(3 * OfOneCall, await UsedAsync(app));
        Assert.Equal(3 * OfOneCall, await app.ScalarAsync<long>("select sum(tokens) from token_usage where client <> ''"));
    }

    [Fact]
    public async Task Summaries_of_audits_count_and_are_refused()
    {
        await using var app = await StartAsync(clock: null, ("DAILY_TOKEN_BUDGET", "18"));
        var created = await app.Client.PostAsJsonAsync("/audits", new { title = "Knee" }, TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, (await app.Client.PostAsync($"{created.Headers.Location}/summary", null)).StatusCode);
        Assert.Equal(OfOneCall, await UsedAsync(app));
        await (await app.Client.PostAsync($"{created.Headers.Location}/summary", null)).ProblemAsync(429, "budget_spent");
        await (await AskAsync(app, "203.0.113.1")).ProblemAsync(429, "budget_spent");
        Assert.Single(app.Model.Requests);
    }

    [Fact]
    public async Task A_request_that_the_model_declined_costs_nothing_and_a_cut_answer_what_was_sent_and_received()
    {
        await using var app = await StartAsync(clock: null);
        app.Model.Fail(400);
        await (await AskAsync(app, "203.0.113.1")).ProblemAsync(500, "model_failed");
        Assert.Equal(0, await UsedAsync(app));

        app.Model.ResetAfter("Half of an answer that is cut.");
        Assert.True((await (await AskAsync(app, "203.0.113.1")).JsonAsync()).GetProperty("incomplete").GetBoolean());
        Assert.InRange(await UsedAsync(app), 50, 2_000);
    }

    [Fact]
    public async Task A_conversation_that_is_deleted_while_its_answer_is_written_is_paid_for()
    {
        await using var app = await StartAsync(clock: null);
        var session = Guid.NewGuid();
        var gate = app.Model.AnswerInTwo("Half of", "an answer.");
        var asking = AskAsync(app, "203.0.113.1", body: new { message = Question, session_id = session });
        await gate.WhenReached;

        Assert.Equal(HttpStatusCode.NoContent, (await app.Client.DeleteAsync($"/chat/sessions/{session}")).StatusCode);
        gate.Open();
        await asking;

        await Until.TrueAsync(async () => await UsedAsync(app) >= OfOneCall, "The tokens were not counted");
    }

    [Fact]
    public async Task A_turn_that_is_stopped_is_paid_for_and_asking_again_needs_tokens_that_are_left()
    {
        await using var app = await StartAsync(clock: null, ("DAILY_TOKEN_BUDGET", "30"));
        var session = Guid.NewGuid();
        var gate = app.Model.AnswerInTwo("Half of", "an answer.");
        var asking = AskAsync(app, "203.0.113.1", body: new { message = Question, session_id = session });
        await gate.WhenReached;
        var turn = await app.ScalarAsync<Guid>("select id from turns where session_id = @session", new { session });

        Assert.Equal("stopped", (await (await app.Client.PostAsync($"/chat/turns/{turn}/stop", null)).JsonAsync()).GetProperty("state").GetString());
        await asking;

        Assert.InRange(await UsedAsync(app), 50, 2_000);
        await (await app.Client.PostAsync($"/chat/turns/{turn}/regenerate", null)).ProblemAsync(429, "budget_spent");
        Assert.Equal(0, await app.ScalarAsync<int>("select count(*) from turns where superseded_by is not null"));
    }

    [Fact]
    public async Task Work_without_statements_of_its_own_asks_and_counts_with_the_same_budget()
    {
        await using var app = await StartAsync(clock: null, ("DAILY_TOKENS_PER_CLIENT", "20"));
        var budget = app.Services.GetRequiredService<TokenBudget>();
        var (one, other) = (await AccountAsync("203.0.113.1"), await AccountAsync("203.0.113.2"));

        await budget.CountAsync(one, 20);

        Assert.True(await budget.IsSpentAsync(one, TestContext.Current.CancellationToken));
        Assert.False(await budget.IsSpentAsync(other, TestContext.Current.CancellationToken));
        await (await AskAsync(app, "203.0.113.1")).ProblemAsync(429, "budget_spent");

        ValueTask<TokenAccount> AccountAsync(string address) => budget.AccountOfAsync(
            new DefaultHttpContext { Connection = { RemoteIpAddress = IPAddress.Parse(address) } }, TestContext.Current.CancellationToken);
    }

    [Fact]
    public async Task Each_of_many_turns_at_once_is_counted_once()
    {
        await using var app = await StartAsync(clock: null);

        var answers = await Task.WhenAll(Enumerable.Range(0, 100).Select(i => AskAsync(app, $"203.0.113.{i % 7}")));

        Assert.All(answers, a => Assert.Equal(HttpStatusCode.OK, a.StatusCode));
        Assert.Equal(100 * OfOneCall, await UsedAsync(app));
        Assert.Equal(7, await app.ScalarAsync<int>("select count(distinct client) from token_usage where client <> ''"));
    }

    [Fact]
    public async Task Addresses_are_stored_as_hashes_that_differ_from_day_to_day_and_old_days_are_deleted()
    {
        var clock = new MovedClock();
        clock.StopAt(LateInTheEvening);
        await using var app = await StartAsync(clock);
        var clients = new List<string>();
        for (var day = 0; day < 4; day++)
        {
            await AskAsync(app, "203.0.113.77");
            clients.Add((await app.ScalarAsync<string>("select client from token_usage where client <> '' order by day desc limit 1"))!);
            clock.Move(TimeSpan.FromDays(1));
        }

        Assert.Equal(4, clients.Distinct().Count());
        Assert.All(clients, client => Assert.Matches("^[0-9a-f]{32}$", client));
        Assert.Equal(2, await app.ScalarAsync<int>("select count(distinct day) from token_usage"));
        Assert.Equal(2, await app.ScalarAsync<int>("select count(*) from token_days"));
        Assert.Equal(0, await app.ScalarAsync<int>("select count(*) from turns where token_client is not null"));
    }

    private static async Task<ChatApp> StartAsync(TimeProvider? clock, params (string Name, string Value)[] settings)
    {
        var app = new ChatApp { Clock = clock, ["TRUSTED_PROXIES"] = "127.0.0.1, ::1" };
        foreach (var (name, value) in settings)
            app[name] = value;
        await app.InitializeAsync();
        return app;
    }

    private static Task<long> UsedAsync(ChatBackendApp app) => app.ScalarAsync<long>("select coalesce(sum(tokens), 0) from token_usage where client = ''");

    private static Task<HttpResponseMessage> AskAsync(ChatApp app, string address, string? key = null, object? body = null)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/chat") { Content = JsonContent.Create(body ?? new { message = Question }), Headers = { { "X-Forwarded-For", address } } };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return app.Client.SendAsync(request);
    }
}
