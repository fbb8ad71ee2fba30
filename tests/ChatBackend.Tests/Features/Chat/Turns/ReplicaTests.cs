using System.Net;
using System.Net.Http.Json;
using Dapper;
using Npgsql;

namespace ChatBackend.Tests.Features.Chat.Turns;

/// <summary>Two copies of the built program on one database, as two replicas behind a load balancer are.</summary>
public sealed class ReplicaTests : IAsyncLifetime
{
    private const string Question = "How do two ROS 2 nodes talk to each other?";

    private ServiceWithModel _service = null!;

    public async ValueTask InitializeAsync() => _service = await ServiceWithModel.CreateAsync();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task A_turn_whose_process_is_killed_in_the_middle_is_ended_by_the_other()
    {
        // The lease is shorter than in production, so that the test need not wait for it.
        await using var doomed = Start(("Turns__Lease", "00:00:05"));
        await using var other = Start();
        await Task.WhenAll(doomed.WaitUntilReadyAsync(), other.WaitUntilReadyAsync());
        var (key, session) = (Guid.NewGuid().ToString(), Guid.NewGuid());
        var gate = _service.Model.AnswerInTwo("Half an", "answer.");
        var lost = AskAsync(doomed, session, key);
        await gate.WhenReached;
        _service.Model.Answer("The whole answer.");
        // A beat counts what the model has used so far.
        await Until.TrueAsync(async () => await UsedAsync() > 0, "No tokens were counted");
        var used = await UsedAsync();

        doomed.Kill();

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => lost);
        await Until.TrueAsync(
            async () => await _service.ScalarAsync<string>("select state::text from turns where session_id = @session", new { session }) == "completed",
            () => $"Nobody ended the turn:\n{other.Output}");
        var answer = await (await AskAsync(other, session, key)).JsonAsync();
        Assert.Equal("The whole answer.", answer.GetProperty("response").GetString());
        // The stub reports 18 for the second attempt.
        Assert.Equal(used + 18, await UsedAsync());
        Assert.Equal(2, _service.Model.Requests.Count);
        Assert.Equal(2, await _service.ScalarAsync<int>("select count(*) from messages where session_id = @session", new { session }));

        Task<long> UsedAsync() => _service.ScalarAsync<long>("select coalesce(sum(tokens), 0)::bigint from token_usage where client = ''");
    }

    [Fact]
    public async Task A_reader_at_the_other_replica_sees_the_running_turn_and_its_end()
    {
        await using var one = Start();
        await using var two = Start();
        await Task.WhenAll(one.WaitUntilReadyAsync(), two.WaitUntilReadyAsync());
        // A character outside the basic plane is two code units: places are counted in those.
        var gate = _service.Model.AnswerInTwo("Half 🤖 an", "answer.");
        var session = Guid.NewGuid();
        var asking = AskAsync(one, session, key: null);
        await gate.WhenReached;
        var turn = await _service.ScalarAsync<Guid>("select id from turns where session_id = @session", new { session });

        using var response = await two.Client.GetAsync($"/chat/turns/{turn}/events", HttpCompletionOption.ResponseHeadersRead);
        using var stream = new EventStream(response);
        Assert.Equal("turn", (await stream.NextAsync())!.Name);
        Assert.Equal("citations", (await stream.NextAsync())!.Name);
        var delta = await stream.NextAsync();
        gate.Open();
        var rest = await stream.AllAsync();

        Assert.Equal("Half 🤖 an", delta!.Data.GetProperty("text").GetString());
        Assert.Equal("completed", rest[^1].Name);
        Assert.Equal(await (await asking).Content.ReadAsStringAsync(), rest[^1].Data.GetRawText());
        Assert.Equal("Half 🤖 ananswer.", "Half 🤖 an" + EventStream.Text(rest));
    }

    [Fact]
    public async Task Turns_of_one_session_keep_their_order_across_replicas_and_one_key_is_one_turn()
    {
        await using var one = Start();
        await using var two = Start();
        await Task.WhenAll(one.WaitUntilReadyAsync(), two.WaitUntilReadyAsync());
        _service.Model.Default = request => $"Answer to: {request.Messages[^1].Content}";
        var session = Guid.NewGuid();

        var answers = await Task.WhenAll(Enumerable.Range(0, 16).Select(i => AskAsync(i % 2 == 0 ? one : two, session, $"key-{i / 4}", $"Question {i / 4} on ROS 2 nodes?")));

        Assert.All(answers, a => Assert.Equal(HttpStatusCode.OK, a.StatusCode));
        Assert.Equal(4, _service.Model.Requests.Count);
        await using var connection = new NpgsqlConnection(_service.Database);
        var messages = (await connection.QueryAsync<(int Position, string Content)>(
            "select position, content from messages where session_id = @session order by position", new { session })).AsList();
        Assert.Equal(Enumerable.Range(1, 8), messages.Select(m => m.Position));
        Assert.All(messages.Chunk(2), pair => Assert.Equal($"Answer to: {pair[0].Content}", pair[1].Content));
    }

    [Fact]
    public async Task On_SIGTERM_a_running_turn_still_ends_and_its_client_gets_the_answer()
    {
        await using var service = Start();
        await service.WaitUntilReadyAsync();
        var gate = _service.Model.AnswerInTwo("Half an", "answer.");
        var asking = AskAsync(service, Guid.NewGuid(), key: null);
        await gate.WhenReached;

        service.Stop();
        await Until.TrueAsync(service.RefusesConnectionsAsync, "The service still takes new connections.");
        gate.Open();

        Assert.Equal("Half ananswer.", (await (await asking).JsonAsync()).GetProperty("response").GetString());
        Assert.Equal(0, await service.WaitForExitAsync());
    }

    [Fact]
    public async Task A_turn_that_outlasts_SIGTERM_is_released_and_its_reader_retries()
    {
        await using var old = Start(("Shutdown__Timeout", "00:00:08"));
        await old.WaitUntilReadyAsync();
        var gate = _service.Model.AnswerInTwo("Half an", "answer.");
        var request = new HttpRequestMessage(HttpMethod.Post, "/chat") { Content = JsonContent.Create(new { message = Question }), Headers = { { "Accept", "text/event-stream" } } };
        using var response = await old.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        using var stream = new EventStream(response);
        var turn = (await stream.NextAsync())!.Data.GetProperty("turn_id").GetGuid();
        await gate.WhenReached;
        await using var next = Start();
        await next.WaitUntilReadyAsync();
        _service.Model.Answer("A whole answer.");

        old.Stop();
        var events = await stream.AllAsync();

        Assert.Equal(("error", "server_stopping"), (events[^1].Name, events[^1].Data.GetProperty("code").GetString()));
        Assert.Equal(0, await old.WaitForExitAsync());
        var resume = new HttpRequestMessage(HttpMethod.Get, $"/chat/turns/{turn}/events") { Headers = { { "Last-Event-ID", events[^1].Id } } };
        using var resumed = await next.Client.SendAsync(resume, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        using var rest = new EventStream(resumed);
        var last = (await rest.AllAsync())[^1];
        Assert.Equal(("completed", "A whole answer."), (last.Name, last.Data.GetProperty("response").GetString()));
    }

    private static Task<HttpResponseMessage> AskAsync(ServiceProcess service, Guid session, string? key, string question = Question)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/chat") { Content = JsonContent.Create(new { message = question, session_id = session }) };
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        return service.Client.SendAsync(request, TestContext.Current.CancellationToken);
    }

    private ServiceProcess Start(params (string Name, string Value)[] settings) => _service.Start([.. settings, ("RATE_LIMIT_CHAT", "0")]);
}
