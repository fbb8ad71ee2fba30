using System.Net.Http.Json;
using System.Text.Json;

namespace ChatBackend.Tests.Features.Chat.Stopping;

/// <summary>Clients that cannot come back for an answer, but may ask again with the same key: of OpenAI's API, and of MCP.</summary>
public sealed class UnattendedTurnsTests(ChatApp app) : IClassFixture<ChatApp>
{
    private readonly string _key = $"{Guid.NewGuid()}";
    private readonly string _question = $"How do two ROS 2 nodes talk to each other, {Guid.NewGuid()}?";

    public static TheoryData<string> Doors => ["completion", "stream of a completion", "ask_book"];

    [Theory]
    [MemberData(nameof(Doors))]
    public async Task A_client_that_lost_its_connection_and_retries_gets_a_whole_answer(string door)
    {
        var gate = app.Model.AnswerInTwo("Over", " topics.");
        using (var leaving = new CancellationTokenSource())
        {
            var first = AskAsync(door, leaving.Token);
            await gate.WhenReached;
            await leaving.CancelAsync();
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        }

        await Until.TrueAsync(async () => await StateAsync() == "stopped", "The turn was not stopped.");
        // Also where the cut answer was rated: the whole one takes its place.
        await app.Client.PutAsJsonAsync(
            $"/chat/messages/{await app.ScalarAsync<Guid>("select id from messages where turn_id = (select id from turns where request ->> 'message' = @_question) and role = 'assistant'", new { _question })}/feedback",
            new { rating = "down" }, TestContext.Current.CancellationToken);
        app.Model.Answer("Over topics, always.");

        Assert.Contains("Over topics, always.", await AskAsync(door));
        // And once it is whole, it is the answer of the key.
        Assert.Contains("Over topics, always.", await AskAsync(door));
        Assert.Equal("completed", await StateAsync());
        Assert.Equal(1, await app.ScalarAsync<int>("select count(*) from messages as m join turns as t on t.id = m.turn_id where t.request ->> 'message' = @_question and m.role = 'assistant'", new { _question }));
    }

    [Theory]
    [MemberData(nameof(Doors))]
    public async Task A_retry_while_the_turn_is_being_stopped_waits_and_gets_a_whole_answer(string door)
    {
        app.Model.StallAfter("Over").Answer("Over topics, always.");
        using var leaving = new CancellationTokenSource();
        var first = AskAsync(door, leaving.Token);
        await Until.TrueAsync(() => Task.FromResult(app.Model.Requests.Any(r => r.Messages[^1].Content == _question)), "The model was not asked.");

        // As when the client of another replica leaves: this process does not know it yet.
        await app.ScalarAsync<int>("update turns set stop_requested_at = now(), followers = '{}' where request ->> 'message' = @_question", new { _question });

        Assert.Contains("Over topics, always.", await AskAsync(door));
        Assert.DoesNotContain("always", await first);
    }

    [Theory]
    [MemberData(nameof(Doors))]
    public async Task Only_the_last_of_two_clients_to_leave_stops_the_model(string door)
    {
        var gate = app.Model.AnswerInTwo("Over", " topics.");
        using var first = new CancellationTokenSource();
        using var second = new CancellationTokenSource();
        var asked = AskAsync(door, first.Token);
        await gate.WhenReached;
        var repeated = AskAsync(door, second.Token);
        await Until.TrueAsync(async () => await FollowersAsync() == 2, "The second client does not follow the turn.");

        await first.CancelAsync();
        await Until.TrueAsync(async () => await FollowersAsync() == 1, "The first client is still counted.");
        Assert.Equal("running", await StateAsync());
        gate.Open();

        Assert.Contains("topics.", await repeated);
        Assert.Equal("completed", await StateAsync());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asked);
    }

    [Fact]
    public async Task The_last_of_two_clients_stops_it()
    {
        var gate = app.Model.AnswerInTwo("Over", " topics.");
        using var leaving = new CancellationTokenSource();
        var asked = AskAsync("completion", leaving.Token);
        await gate.WhenReached;
        var repeated = AskAsync("completion", leaving.Token);
        await Until.TrueAsync(async () => await FollowersAsync() == 2, "The second client does not follow the turn.");

        await leaving.CancelAsync();

        await Until.TrueAsync(async () => await StateAsync() == "stopped", "The turn was not stopped.");
        foreach (var client in (Task[])[asked, repeated])
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => client);
    }

    private Task<string?> StateAsync() => app.ScalarAsync<string>("select state::text from turns where request ->> 'message' = @_question", new { _question });

    private Task<int> FollowersAsync() => app.ScalarAsync<int>("select cardinality(followers) from turns where request ->> 'message' = @_question", new { _question });

    /// <summary>Asks with the key of the test, and reads the answer to its end.</summary>
    private async Task<string> AskAsync(string door, CancellationToken cancellationToken = default)
    {
        object message = door == "ask_book"
            ? new { jsonrpc = "2.0", id = 7, method = "tools/call", @params = new { name = "ask_book", arguments = new { question = _question } } }
            : new { stream = door != "completion", messages = new[] { new { role = "user", content = _question } } };
        var request = new HttpRequestMessage(HttpMethod.Post, door == "ask_book" ? "/mcp" : "/v1/chat/completions") { Content = JsonContent.Create(message) };
        request.Headers.Add(door == "ask_book" ? "Mcp-Session-Id" : "Idempotency-Key", _key);
        var response = await app.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
        var body = await response.Content.ReadAsStringAsync(cancellationToken);
        Assert.True(response.IsSuccessStatusCode, body);
        return door != "stream of a completion" ? body : string.Concat(body
            .Split('\n').Where(l => l.StartsWith("data: {", StringComparison.Ordinal)).Select(l => JsonElement.Parse(l["data: ".Length..]).GetProperty("choices"))
            .Where(c => c.GetArrayLength() > 0 && c[0].GetProperty("delta").TryGetProperty("content", out _)).Select(c => c[0].GetProperty("delta").GetProperty("content").GetString()));
    }
}
