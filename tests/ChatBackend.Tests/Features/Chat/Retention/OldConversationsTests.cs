using System.Diagnostics;
using System.Net;
using ChatBackend.Features.Chat.Retention;
using ChatBackend.Tests.Infrastructure.Auth;
using Dapper;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Chat.Retention;

public sealed class OldConversationsTests
{
    private const string Question = "How do ROS 2 nodes talk to each other?";

    [Fact]
    public async Task Untouched_conversations_are_deleted_when_a_question_is_asked_and_stay_as_numbers()
    {
        var clock = new MovedClock();
        await using var app = new ChatApp { Clock = clock, ["RETENTION_DAYS"] = "30" };
        await app.InitializeAsync();
        var (old, young) = (Guid.NewGuid(), Guid.NewGuid());
        foreach (var session in (Guid[])[old, young])
            await app.AnswerAsync(new { message = Question, session_id = session });
        var counted = await CountedAsync(app);
        await app.ExecuteAsync("update chat_sessions set updated_at = now() - case id when @old then interval '30 days' else interval '29 days' end", new { old });

        // An hour after the start's deletion.
        clock.Move(TimeSpan.FromHours(2));
        await app.AnswerAsync(new { message = Question, session_id = young });

        await Until.TrueAsync(async () => await app.ScalarAsync<int>("select count(*) from chat_sessions") == 1, "The old conversation is still there");
        Assert.Equal(HttpStatusCode.NotFound, (await app.Client.GetAsync($"/chat/sessions/{old}/messages")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync($"/chat/sessions/{young}/messages")).StatusCode);
        Assert.Equal(0, await app.ScalarAsync<int>("select count(*) from messages where session_id = @old", new { old }));
        Assert.Equal(counted + 1, await CountedAsync(app));
    }

    [Fact]
    public async Task A_conversation_with_a_running_turn_is_not_deleted()
    {
        await using var app = new ChatApp();
        await app.InitializeAsync();
        var session = Guid.NewGuid();
        await app.AnswerAsync(new { message = Question, session_id = session });
        var gate = app.Model.AnswerInTwo("Half", "more.");
        var asking = app.AskAsync(new { message = Question, session_id = session });
        await gate.WhenReached;
        await app.ExecuteAsync("update chat_sessions set updated_at = now() - interval '2 days'");

        Assert.Equal(0, await DeleteAsync(app));
        gate.Open();
        Assert.Equal(HttpStatusCode.OK, (await asking).StatusCode);
        Assert.Equal(1, await DeleteAsync(app));
    }

    [Fact]
    public async Task Without_the_setting_conversations_are_kept()
    {
        var clock = new MovedClock();
        await using var app = new ChatApp { Clock = clock };
        await app.InitializeAsync();
        await app.AnswerAsync(new { message = Question });
        await app.ExecuteAsync("update chat_sessions set updated_at = now() - interval '10 years'");

        clock.Move(TimeSpan.FromHours(2));
        await app.AnswerAsync(new { message = Question });

        Assert.Equal(2, await app.ScalarAsync<int>("select count(*) from chat_sessions"));
    }

    [Fact]
    public async Task Two_replicas_delete_ten_thousand_conversations_once_while_readers_ask()
    {
        await using var first = new ChatApp();
        await first.InitializeAsync();
        await using var second = new ChatApp { ["DATABASE_URL"] = first.Database };
        await second.InitializeAsync();
        await first.ExecuteAsync(
            """
            insert into chat_sessions (id, turn_count, updated_at) select gen_random_uuid(), 1, now() - interval '2 days' from generate_series(1, 10000);
            insert into turns (id, session_id, number, state, request, response, grounding, model, ended_at)
            select gen_random_uuid(), id, 1, 'completed', '{}', '{}', 'grounded', 'gpt-4o-mini', now() from chat_sessions;
            insert into messages (id, session_id, turn_id, position, role, content)
            select gen_random_uuid(), session_id, id, place, case place when 1 then 'user' else 'assistant' end::message_role, repeat('word ', 200)
            from turns, generate_series(1, 2) as place;
            """);
        var known = await first.ScalarAsync<Guid>("select id from chat_sessions limit 1");
        // A reader continues it at this moment.
        await first.AnswerAsync(new { message = Question, session_id = known });

        var deleting = Task.WhenAll(DeleteAsync(first), DeleteAsync(second));
        var slowest = TimeSpan.Zero;
        do
        {
            var asked = Stopwatch.StartNew();
            await second.AnswerAsync(new { message = Question, session_id = known });
            slowest = asked.Elapsed > slowest ? asked.Elapsed : slowest;
        }
        while (!deleting.IsCompleted);

        // One found the other's lock, and left the rest to it, unless it came after its end.
        Assert.Equal(9_999, (await deleting).Sum());
        Assert.Equal(9_999, await first.ScalarAsync<int>("select sum(completed) from deleted_turns"));
        Assert.Equal([known], [await first.ScalarAsync<Guid>("select id from chat_sessions")]);
        TestContext.Current.SendDiagnosticMessage($"The slowest answer meanwhile took {slowest.TotalMilliseconds:0} ms");
        Assert.True(slowest < TimeSpan.FromSeconds(30), $"An answer took {slowest}");
    }

    [Fact]
    public async Task Nothing_is_deleted_while_another_process_does_it()
    {
        await using var app = new ChatApp();
        await app.InitializeAsync();
        await app.AnswerAsync(new { message = Question });
        await app.ExecuteAsync("update chat_sessions set updated_at = now() - interval '2 days'");
        await using var connection = await app.OpenDatabaseAsync();
        await using var other = await connection.BeginTransactionAsync();
        await connection.ExecuteAsync("select pg_advisory_xact_lock(@Lock)", new { OldConversations.Lock }, other);

        Assert.Equal(0, await DeleteAsync(app));
        await other.CommitAsync();
        Assert.Equal(1, await DeleteAsync(app));
    }

    private static Task<int> DeleteAsync(ChatApp app) =>
        app.Services.GetRequiredService<OldConversations>().DeleteAsync(days: 1, TestContext.Current.CancellationToken);

    private static async Task<int> CountedAsync(ChatApp app)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/chat/insights");
        return (await (await app.Client.SendAsync(request)).JsonAsync()).GetProperty("turns").GetProperty("completed").GetInt32();
    }
}
