using System.Net;
using Dapper;

namespace ChatBackend.Tests.Features.Chat.Turns;

public sealed class TurnOrderTests(ChatApp app) : IClassFixture<ChatApp>
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(9)]
    [InlineData(10)]
    [InlineData(11)]
    [InlineData(200)]
    public async Task The_model_is_shown_the_last_ten_messages_of_completed_turns_oldest_first(int stored)
    {
        var session = Guid.NewGuid();
        // Turn n holds the messages 2n-1 and 2n; an odd count leaves the last question unanswered, as a failed turn does.
        await app.ExecuteAsync(
            """
            insert into chat_sessions (id, turn_count) values (@session, (@stored + 1) / 2);
            insert into turns (id, session_id, number, state, request, ended_at)
            select gen_random_uuid(), @session, n, (case when 2 * n <= @stored then 'completed' else 'failed' end)::turn_state, '{}', now()
            from generate_series(1, (@stored + 1) / 2) as n;
            insert into messages (id, session_id, turn_id, position, role, content)
            select gen_random_uuid(), @session, t.id, p, (case when p % 2 = 1 then 'user' else 'assistant' end)::message_role, 'stored ' || p
            from generate_series(1, @stored) as p
            join turns as t on t.session_id = @session and t.number = (p + 1) / 2;
            """, new { session, stored });
        var question = $"What does the {stored}th topic of ROS 2 nodes carry?";

        await app.AnswerAsync(new { message = question, session_id = session });

        var sent = app.Model.Requests.Last(r => r.Messages[^1].Content == question).Messages.Skip(2).ToArray();
        var completed = stored / 2 * 2;
        var expected = Enumerable.Range(1, completed).Select(p => (p % 2 == 1 ? "user" : "assistant", $"stored {p}")).TakeLast(9).Append(("user", question));
        Assert.Equal(expected, sent);
    }

    [Fact]
    public async Task Turns_asked_at_once_in_a_session_are_answered_in_the_order_of_asking()
    {
        var session = Guid.NewGuid();
        var gate = app.Model.AnswerInTwo("First", "answer.");
        var first = app.AskAsync(new { message = "First question about ROS 2 nodes and topics?", session_id = session });
        await gate.WhenReached;
        app.Model.Answer("Second answer.").Answer("Third answer.");
        var second = app.AskAsync(new { message = "Second question about ROS 2 nodes and topics?", session_id = session });
        await Until.TrueAsync(async () => await CountAsync() == 2, "The second question was not stored.");
        var third = app.AskAsync(new { message = "Third question about ROS 2 nodes and topics?", session_id = session });
        await Until.TrueAsync(async () => await CountAsync() == 3, "The third question was not stored.");
        Assert.False(second.IsCompleted);

        gate.Open();
        var answers = await Task.WhenAll(first, second, third);

        Assert.All(answers, a => Assert.Equal(HttpStatusCode.OK, a.StatusCode));
        await using var database = await app.OpenDatabaseAsync();
        var messages = (await database.QueryAsync<(int Position, string Content)>(
            "select position, content from messages where session_id = @session order by position", new { session })).AsList();
        Assert.Equal([1, 2, 3, 4, 5, 6], messages.Select(m => m.Position));
        Assert.Equal(["First", "First", "Second", "Second", "Third", "Third"], messages.Select(m => m.Content[..m.Content.IndexOfAny([' ', 'a'], 1)].Trim()));
        var shown = app.Model.Requests.Single(r => r.Messages[^1].Content.StartsWith("Third question", StringComparison.Ordinal)).Messages;
        Assert.Equal(
            ["First question about ROS 2 nodes and topics?", "Firstanswer.", "Second question about ROS 2 nodes and topics?", "Second answer."],
            shown.Skip(2).SkipLast(1).Select(m => m.Content));

        Task<int> CountAsync() => app.ScalarAsync<int>("select count(*) from messages where session_id = @session and role = 'user'", new { session });
    }

    [Fact]
    public async Task Thirty_turns_at_once_leave_no_gap_and_each_question_its_own_answer()
    {
        var session = Guid.NewGuid();
        app.Model.Default = request => $"Answer to: {request.Messages[^1].Content}";
        try
        {
            var answers = await Task.WhenAll(Enumerable.Range(1, 30).Select(i =>
                app.AskAsync(new { message = $"Question {i} about ROS 2 nodes and topics?", session_id = session })));
            Assert.All(answers, a => Assert.Equal(HttpStatusCode.OK, a.StatusCode));
        }
        finally
        {
            app.Model.Default = _ => "The stub's answer.";
        }

        await using var database = await app.OpenDatabaseAsync();
        var messages = (await database.QueryAsync<(int Position, string Content)>(
            "select position, content from messages where session_id = @session order by position", new { session })).AsList();
        Assert.Equal(Enumerable.Range(1, 60), messages.Select(m => m.Position));
        Assert.All(messages.Chunk(2), pair => Assert.Equal($"Answer to: {pair[0].Content}", pair[1].Content));
    }

    [Fact]
    public async Task A_turn_that_failed_leaves_a_note_in_the_answers_place_and_the_model_is_shown_nothing_of_it()
    {
        var session = Guid.NewGuid();
        app.Model.Fail(400, "bad_request");
        await (await app.AskAsync(new { message = "Which ROS 2 node failed?", session_id = session })).ProblemAsync(500, "model_failed");
        var question = $"And which ROS 2 node with topics worked, {session:N}?";

        await app.AnswerAsync(new { message = question, session_id = session });

        var shown = app.Model.Requests.Last(r => r.Messages[^1].Content == question).Messages.Skip(2);
        Assert.Equal([("user", question)], shown);
        Assert.Equal("system", await app.ScalarAsync<string>("select role::text from messages where session_id = @session and position = 2", new { session }));
    }

    [Fact]
    public async Task A_follow_up_refers_to_the_last_turn_that_was_answered()
    {
        var session = Guid.NewGuid();
        await app.AnswerAsync(new { message = "What does a ROS 2 service answer?", session_id = session });
        app.Model.Fail(400, "bad_request");
        await (await app.AskAsync(new { message = "Which xylophone attack failed?", session_id = session })).ProblemAsync(500, "model_failed");
        var before = app.Model.Requests.Count;

        await app.AnswerAsync(new { message = "and why?", session_id = session });

        var requests = app.Model.Requests.Skip(before).ToArray();
        // The query for the search, and the answer.
        Assert.Equal(2, requests.Length);
        Assert.All(requests, r => Assert.DoesNotContain(r.Messages, m => m.Content.Contains("Which xylophone", StringComparison.Ordinal)));
        Assert.All(requests, r => Assert.Contains(r.Messages, m => m.Content == "What does a ROS 2 service answer?"));
    }

    [Fact]
    public async Task A_cut_answer_is_marked_as_cut_for_the_model_and_for_nobody_else()
    {
        var session = Guid.NewGuid();
        app.Model.Answer("A node publishes", finish: "length");
        await app.AnswerAsync(new { message = "How do ROS 2 nodes talk?", session_id = session });

        await app.AnswerAsync(new { message = "and why?", session_id = session });

        Assert.All(app.Model.Requests.TakeLast(2), r => Assert.Contains(("assistant", "A node publishes\n\n[This answer was cut off here.]"), r.Messages));
        Assert.Equal("A node publishes", await app.ScalarAsync<string>("select content from messages where session_id = @session and position = 2", new { session }));
    }

    [Fact]
    public async Task A_session_that_is_deleted_during_its_turn_ends_it_with_404_and_stops_the_model()
    {
        var session = Guid.NewGuid();
        var gate = app.Model.AnswerInTwo("Half", "more.");
        var asking = app.AskAsync(new { message = "How do ROS 2 nodes talk?", session_id = session });
        await gate.WhenReached;

        await app.Client.DeleteAsync($"/chat/sessions/{session}");

        // At the next beat (1 s), long before the time limit of the model would end it.
        await app.Model.Requests[^1].Aborted.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        await (await asking).ProblemAsync(404, "session_not_found");
        Assert.Equal(0, await app.ScalarAsync<int>("select count(*) from messages where session_id = @session", new { session }));
    }
}
