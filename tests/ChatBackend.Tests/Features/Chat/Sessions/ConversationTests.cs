using System.Net;
using System.Net.Http.Json;
using Dapper;

namespace ChatBackend.Tests.Features.Chat.Sessions;

public sealed class ConversationTests(ChatApp app) : IClassFixture<ChatApp>
{
    [Fact]
    public async Task A_conversation_is_listed_newest_page_first_and_to_its_start()
    {
        var session = Guid.NewGuid();
        foreach (var i in Enumerable.Range(1, 3))
            await app.AnswerAsync(new { message = $"Question {i} about topics of ROS 2 nodes?", session_id = session });

        var newest = await ListAsync(session, "?limit=4");
        var oldest = await ListAsync(session, $"?limit=4&cursor={newest.GetProperty("next_cursor").GetString()}");

        Assert.Equal([3, 4, 5, 6], newest.GetProperty("items").EnumerateArray().Select(m => m.GetProperty("position").GetInt32()));
        Assert.Equal([1, 2], oldest.GetProperty("items").EnumerateArray().Select(m => m.GetProperty("position").GetInt32()));
        Assert.Equal(System.Text.Json.JsonValueKind.Null, oldest.GetProperty("next_cursor").ValueKind);
        Assert.Equal("Question 1 about topics of ROS 2 nodes?", oldest.GetProperty("items")[0].GetProperty("content").GetString());
        Assert.Equal("user", oldest.GetProperty("items")[0].GetProperty("role").GetString());
    }

    [Fact]
    public async Task A_reload_shows_what_was_shown()
    {
        app.Model.Answer("Over topics [1], not [7].");
        var answer = await app.AnswerAsync(new { message = "How do ROS 2 nodes talk?" });

        var messages = (await ListAsync(answer.GetProperty("session_id").GetGuid(), "")).GetProperty("items");
        var message = messages[1];

        Assert.Equal(answer.GetProperty("response").GetString(), message.GetProperty("content").GetString());
        Assert.Equal(answer.GetProperty("citations").ToString(), message.GetProperty("citations").ToString());
        Assert.Equal(answer.GetProperty("message_id").GetGuid(), message.GetProperty("message_id").GetGuid());
        Assert.Equal(answer.GetProperty("grounding").GetString(), message.GetProperty("grounding").GetString());
        Assert.Equal(System.Text.Json.JsonValueKind.Null, messages[0].GetProperty("grounding").ValueKind);
    }

    [Fact]
    public async Task An_answer_that_was_cut_is_listed_as_incomplete()
    {
        var session = Guid.NewGuid();
        await app.AnswerAsync(new { message = "How do ROS 2 nodes talk?", session_id = session });
        app.Model.TruncateAfter("Half an answer");
        await app.AnswerAsync(new { message = "What is a topic of ROS 2 nodes?", session_id = session });

        var messages = (await ListAsync(session, "")).GetProperty("items").EnumerateArray();

        Assert.Equal([false, false, false, true], messages.Select(m => m.GetProperty("is_incomplete").GetBoolean()));
    }

    [Theory]
    [InlineData("?limit=0", "limit")]
    [InlineData("?limit=101", "limit")]
    [InlineData("?cursor=x", "cursor")]
    [InlineData("?cursor=0", "cursor")]
    public async Task An_invalid_cursor_or_limit_is_refused(string query, string field)
    {
        var session = (await app.AnswerAsync(new { message = "What is a topic?" })).GetProperty("session_id").GetGuid();

        var problem = await (await app.Client.GetAsync($"/chat/sessions/{session}/messages{query}")).ProblemAsync(400, "invalid_request");

        Assert.True(problem.GetProperty("errors").TryGetProperty(field, out _));
    }

    [Fact]
    public async Task A_deleted_conversation_is_gone_from_the_tables()
    {
        var canary = $"canary {Guid.NewGuid():N}";
        app.Model.Answer($"About {canary}.");
        var answer = await app.AnswerAsync(new { message = $"Tell me about {canary}" });
        var session = answer.GetProperty("session_id").GetGuid();
        await RateAsync(answer.GetProperty("message_id").GetGuid(), new { rating = "up", comment = canary });

        Assert.Equal(HttpStatusCode.NoContent, (await app.Client.DeleteAsync($"/chat/sessions/{session}")).StatusCode);

        await (await app.Client.DeleteAsync($"/chat/sessions/{session}")).ProblemAsync(404, "session_not_found");
        await (await app.Client.GetAsync($"/chat/sessions/{session}/messages")).ProblemAsync(404, "session_not_found");
        await (await app.Client.GetAsync($"/chat/turns/{answer.GetProperty("turn_id").GetGuid()}")).ProblemAsync(404, "turn_not_found");
        Assert.Equal(0, await app.ScalarAsync<int>(
            """
            select (select count(*) from chat_sessions where id = @session)
                 + (select count(*) from messages where content like '%' || @canary || '%')
                 + (select count(*) from turns where request::text || coalesce(response::text, '') like '%' || @canary || '%')
                 + (select count(*) from message_feedback where comment = @canary)
            """, new { session, canary }));
    }

    [Fact]
    public async Task A_message_keeps_only_its_latest_feedback()
    {
        var answer = await app.AnswerAsync(new { message = "What is a topic?" });
        var message = answer.GetProperty("message_id").GetGuid();

        Assert.Equal(HttpStatusCode.OK, (await RateAsync(message, new { rating = "up" })).StatusCode);
        var last = await (await RateAsync(message, new { rating = "down", comment = "Too short" })).JsonAsync();

        Assert.Equal(("down", "Too short"), (last.GetProperty("rating").GetString(), last.GetProperty("comment").GetString()));
        Assert.Equal(1, await app.ScalarAsync<int>("select count(*) from message_feedback where message_id = @message", new { message }));
        var listed = (await ListAsync(answer.GetProperty("session_id").GetGuid(), "")).GetProperty("items")[1];
        Assert.Equal("down", listed.GetProperty("rating").GetString());
    }

    [Theory]
    [InlineData("sideways", "rating")]
    [InlineData(null, "rating")]
    public async Task A_rating_is_up_or_down(string? rating, string field)
    {
        var message = (await app.AnswerAsync(new { message = "What is a topic?" })).GetProperty("message_id").GetGuid();

        var problem = await (await RateAsync(message, new { rating })).ProblemAsync(400, "invalid_request");

        Assert.True(problem.GetProperty("errors").TryGetProperty(field, out _));
    }

    [Fact]
    public async Task Feedback_on_what_is_not_an_answer_is_404()
    {
        var answer = await app.AnswerAsync(new { message = "What is a topic?" });
        var question = (await ListAsync(answer.GetProperty("session_id").GetGuid(), "")).GetProperty("items")[0].GetProperty("message_id").GetGuid();

        await (await RateAsync(question, new { rating = "up" })).ProblemAsync(404, "message_not_found");
        await (await RateAsync(Guid.NewGuid(), new { rating = "up" })).ProblemAsync(404, "message_not_found");
    }

    [Fact]
    public async Task Feedback_during_a_delete_is_deleted_too()
    {
        var answer = await app.AnswerAsync(new { message = "How do ROS 2 nodes talk?" });
        await using var connection = await app.OpenDatabaseAsync();
        await using var transaction = await connection.BeginTransactionAsync(TestContext.Current.CancellationToken);
        await connection.ExecuteAsync("delete from chat_sessions where id = @session", new { session = answer.GetProperty("session_id").GetGuid() });

        var rating = RateAsync(answer.GetProperty("message_id").GetGuid(), new { rating = "up" });
        await Until.TrueAsync(
            () => app.ScalarAsync<bool>("select exists (select from pg_stat_activity where wait_event_type = 'Lock' and query like '%insert into message_feedback%' and datname = current_database())"),
            "The feedback does not wait for the delete.");
        await transaction.CommitAsync(TestContext.Current.CancellationToken);

        Assert.Equal(HttpStatusCode.OK, (await rating).StatusCode);
    }

    [Fact]
    public async Task A_failed_turns_state_holds_the_whole_problem()
    {
        app.Model.Fail(401, "invalid_api_key");
        var turn = (await (await app.AskAsync(new { message = "How do ROS 2 nodes talk?" })).JsonAsync()).GetProperty("turn_id").GetGuid();

        var error = (await (await app.Client.GetAsync($"/chat/turns/{turn}")).JsonAsync()).GetProperty("error");

        Assert.Equal(("model_failed", $"/chat/turns/{turn}"), (error.GetProperty("code").GetString(), error.GetProperty("instance").GetString()));
        Assert.Matches("^[0-9a-f]{32}$", error.GetProperty("trace_id").GetString());
        Assert.NotEmpty(error.GetProperty("retrieved").EnumerateArray());
    }

    private Task<HttpResponseMessage> RateAsync(Guid message, object body) => app.Client.PutAsJsonAsync($"/chat/messages/{message}/feedback", body);

    private async Task<System.Text.Json.JsonElement> ListAsync(Guid session, string query)
    {
        var response = await app.Client.GetAsync($"/chat/sessions/{session}/messages{query}");
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return await response.JsonAsync();
    }
}
