using System.Net;

namespace ChatBackend.Tests.Features.Chat.Turns;

public sealed class StreamingTests(ChatApp app) : IClassFixture<ChatApp>
{
    private const string Events = "text/event-stream";
    private const string Question = "How do two ROS 2 nodes talk to each other?";

    [Fact]
    public async Task An_answer_streams_as_turn_citations_deltas_and_completed()
    {
        app.Model.Answer("They exchange messages over topics [1], never [8].");
        using var response = await app.AskAsync(new { message = Question }, accept: Events);
        using var stream = new EventStream(response);

        var events = await stream.AllAsync();

        Assert.Equal(Events, response.Content.Headers.ContentType?.MediaType);
        Assert.Equal("no", Assert.Single(response.Headers.GetValues("X-Accel-Buffering")));
        Assert.True(response.Headers.CacheControl!.NoCache);
        Assert.Equal("turn", events[0].Name);
        Assert.Equal("citations", events[1].Name);
        Assert.Equal("/docs/ros2/topics#how-nodes-talk", events[1].Data.GetProperty("retrieved")[0].GetProperty("url").GetString());
        Assert.Equal("completed", events[^1].Name);
        Assert.Equal(events.Count, events.Select(e => e.Id).Distinct().Count());
        var completed = events[^1].Data;
        Assert.Equal("They exchange messages over topics [1], never.", completed.GetProperty("response").GetString());
        Assert.Equal(completed.GetProperty("response").GetString(), EventStream.Text(events));
        Assert.Equal(completed.GetProperty("turn_id").GetString(), events[0].Data.GetProperty("turn_id").GetString());
        Assert.Equal(completed.GetProperty("session_id").GetString(), events[0].Data.GetProperty("session_id").GetString());
        // A marker is never shown before its citation.
        var firstMarker = events.TakeWhile(e => !(e.Name == "delta" && e.Data.GetProperty("text").GetString()!.Contains("[1]"))).ToArray();
        Assert.Contains(firstMarker, e => e.Name == "citations" && e.Data.GetProperty("citations").GetArrayLength() == 1);
    }

    [Fact]
    public async Task The_first_byte_comes_while_the_model_is_still_silent_and_deltas_as_they_are_written()
    {
        var gate = app.Model.AnswerInTwo("Over", "topics.");
        using var response = await app.AskAsync(new { message = Question }, accept: Events);
        using var stream = new EventStream(response);
        Assert.Equal("turn", (await stream.NextAsync())!.Name);
        Assert.Equal("citations", (await stream.NextAsync())!.Name);
        var delta = await stream.NextAsync();
        Assert.Equal("Over", delta!.Data.GetProperty("text").GetString());

        gate.Open();

        Assert.Equal("completed", (await stream.AllAsync())[^1].Name);
    }

    [Theory]
    [InlineData("application/json", "application/json")]
    [InlineData("*/*", "application/json")]
    [InlineData("text/event-stream;q=0.5, application/json", "application/json")]
    [InlineData("application/json;q=0.5, text/event-stream", "text/event-stream")]
    [InlineData("text/event-stream", "text/event-stream")]
    [InlineData("text/event-stream, application/json", "application/json")]
    [InlineData("application/json, text/event-stream", "application/json")]
    [InlineData("text/event-stream, */*", "application/json")]
    [InlineData("text/event-stream, */*;q=0.5", "text/event-stream")]
    [InlineData("text/event-stream;q=0.9, */*", "application/json")]
    [InlineData("text/event-stream;q=0.5, application/*;q=0.4, */*", "text/event-stream")]
    [InlineData("text/*, application/json;q=0.9", "text/event-stream")]
    [InlineData("text/event-stream;charset=utf-8, application/json;q=0.9", "text/event-stream")]
    [InlineData("text/event-stream;q=0, */*;q=0.1", "application/json")]
    [InlineData("image/png", "application/json")]
    public async Task The_client_chooses_between_JSON_and_a_stream(string accept, string type)
    {
        using var response = await app.AskAsync(new { message = Question }, accept: accept);

        Assert.Equal(type, response.Content.Headers.ContentType?.MediaType);
        // To the end: a turn that still runs would take the answer that the next test has scripted.
        await response.Content.ReadAsStringAsync();
    }

    [Fact]
    public async Task A_reader_who_disconnected_finds_the_finished_answer()
    {
        var gate = app.Model.AnswerInTwo("Over ", "topics [1].");
        Guid turn;
        using (var response = await app.AskAsync(new { message = Question }, accept: Events))
        using (var stream = new EventStream(response))
            turn = (await stream.NextAsync())!.Data.GetProperty("turn_id").GetGuid();
        await gate.WhenReached;
        gate.Open();

        await Until.TrueAsync(
            async () => (await (await app.Client.GetAsync($"/chat/turns/{turn}")).JsonAsync()).GetProperty("state").GetString() == "completed",
            "The turn did not end without its reader.");

        var body = await (await app.Client.GetAsync($"/chat/turns/{turn}")).JsonAsync();
        Assert.Equal("Over topics [1].", body.GetProperty("response").GetProperty("response").GetString());
    }

    [Fact]
    public async Task A_second_reader_joins_a_running_turn()
    {
        var gate = app.Model.AnswerInTwo("Over", "topics.");
        using var asking = await app.AskAsync(new { message = Question }, accept: Events);
        using var first = new EventStream(asking);
        var turn = (await first.NextAsync())!.Data.GetProperty("turn_id").GetGuid();
        await first.NextAsync();
        var delta = await first.NextAsync();

        using var second = await FollowAsync(turn, delta!.Id);
        using var third = await FollowAsync(turn, null);
        gate.Open();
        var resumed = await second.AllAsync();
        var whole = await third.AllAsync();

        Assert.DoesNotContain(resumed, e => e.Name is "turn");
        Assert.Equal("Over", delta.Data.GetProperty("text").GetString());
        Assert.Equal(EventStream.Text(whole), "Over" + EventStream.Text(resumed));
        Assert.Equal(whole[^1].Data.ToString(), resumed[^1].Data.ToString());
    }

    [Fact]
    public async Task An_ended_turn_streams_again_and_ends_an_EventSource_with_204()
    {
        app.Model.Answer("Over topics [1].");
        var answer = await app.AnswerAsync(new { message = Question });
        var turn = answer.GetProperty("turn_id").GetGuid();

        using var again = await FollowAsync(turn, null);
        var events = await again.AllAsync();

        Assert.Equal(answer.ToString(), events[^1].Data.ToString());
        Assert.Equal("Over topics [1].", EventStream.Text(events));
        var request = new HttpRequestMessage(HttpMethod.Get, $"/chat/turns/{turn}/events");
        request.Headers.Add("Last-Event-ID", events[^1].Id);
        Assert.Equal(HttpStatusCode.NoContent, (await app.Client.SendAsync(request)).StatusCode);
    }

    [Theory]
    [InlineData("nonsense")]
    [InlineData("99.1.4")]
    [InlineData("1.1.99999")]
    [InlineData("-1.-1.-1")]
    public async Task An_unknown_Last_Event_ID_does_no_harm(string lastEventId)
    {
        app.Model.Answer("Over topics [1].");
        var turn = (await app.AnswerAsync(new { message = Question })).GetProperty("turn_id").GetGuid();

        using var stream = await FollowAsync(turn, lastEventId);

        Assert.Equal("completed", (await stream.AllAsync())[^1].Name);
    }

    [Fact]
    public async Task A_stream_of_a_failed_turn_ends_with_the_problem_and_what_was_found()
    {
        app.Model.Fail(400, "bad_request");
        using var response = await app.AskAsync(new { message = Question }, accept: Events);
        using var stream = new EventStream(response);

        var events = await stream.AllAsync();

        Assert.Equal(["turn", "citations", "error"], events.Select(e => e.Name));
        Assert.Equal("model_failed", events[^1].Data.GetProperty("code").GetString());
        Assert.Equal(500, events[^1].Data.GetProperty("status").GetInt32());
        Assert.NotEmpty(events[^1].Data.GetProperty("retrieved").EnumerateArray());
    }

    [Fact]
    public async Task An_answer_that_breaks_off_is_kept_and_marked_incomplete()
    {
        app.Model.TruncateAfter("Half an answer [1]");

        var answer = await app.AnswerAsync(new { message = Question });

        Assert.True(answer.GetProperty("incomplete").GetBoolean());
        Assert.Equal("interrupted", answer.GetProperty("finish_reason").GetString());
        Assert.Equal("Half an answer [1]", answer.GetProperty("response").GetString());
        Assert.Single(answer.GetProperty("citations").EnumerateArray());
    }

    [Theory]
    [InlineData("length", "length")]
    [InlineData("content_filter", "content_filter")]
    public async Task An_answer_that_was_cut_says_why(string finish, string reason)
    {
        app.Model.Answer("Some words", finish);

        var answer = await app.AnswerAsync(new { message = Question });

        Assert.True(answer.GetProperty("incomplete").GetBoolean());
        Assert.Equal(reason, answer.GetProperty("finish_reason").GetString());
    }

    [Theory]
    [InlineData("turns/0f8fad5b-d9cb-469f-a165-70867728950e")]
    [InlineData("turns/nonsense")]
    [InlineData("turns/0f8fad5b-d9cb-469f-a165-70867728950e/events")]
    [InlineData("turns/nonsense/events")]
    public async Task An_unknown_turn_is_404(string path) =>
        await (await app.Client.GetAsync($"/chat/{path}")).ProblemAsync(404, "turn_not_found");

    private async Task<EventStream> FollowAsync(Guid turn, string? lastEventId)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, $"/chat/turns/{turn}/events");
        if (lastEventId is not null)
            request.Headers.Add("Last-Event-ID", lastEventId);
        var response = await app.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        return new(response);
    }
}
