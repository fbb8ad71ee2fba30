using System.Diagnostics;
using System.Net.Http.Json;

namespace ChatBackend.Tests.Features.Chat.Stopping;

/// <summary>The turn runs in one process, and its reader stops it in another one.</summary>
public sealed class StopOnReplicaTests : IAsyncLifetime
{
    private const string Question = "How do two ROS 2 nodes talk to each other?";

    private ServiceWithModel _service = null!;

    public async ValueTask InitializeAsync() => _service = await ServiceWithModel.CreateAsync();

    public ValueTask DisposeAsync() => _service.DisposeAsync();

    [Fact]
    public async Task The_model_is_cancelled_within_a_second_and_all_readers_get_the_stopped_answer()
    {
        await using var one = Start();
        await using var two = Start();
        await Task.WhenAll(one.WaitUntilReadyAsync(), two.WaitUntilReadyAsync());
        var session = Guid.NewGuid();
        var quickest = TimeSpan.MaxValue;
        for (var i = 1; i <= 5; i++)
        {
            var gate = _service.Model.AnswerInTwo("Half 🤖 an", "answer.");
            using var asked = await AskAsync(one, session, stream: true);
            using var own = new EventStream(asked);
            await gate.WhenReached;
            var turn = await TurnAsync(session, i);
            using var followed = await two.Client.GetAsync($"/chat/turns/{turn}/events", HttpCompletionOption.ResponseHeadersRead);
            using var other = new EventStream(followed);
            // The text is not saved yet: what the readers of the other process have seen must be kept all the same.
            while ((await own.NextAsync())!.Name != "delta")
            {
            }

            var started = Stopwatch.GetTimestamp();
            var stopping = two.Client.PostAsync($"/chat/turns/{turn}/stop", null);
            await _service.Model.Requests[^1].Aborted.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
            var waited = Stopwatch.GetElapsedTime(started);

            TestContext.Current.TestOutputHelper?.WriteLine($"cancelled after {waited.TotalMilliseconds:F0} ms");
            quickest = waited < quickest ? waited : quickest;
            var stopped = await (await stopping).JsonAsync();
            Assert.Equal(("stopped", "Half 🤖 an"), (stopped.GetProperty("state").GetString(), stopped.GetProperty("response").GetProperty("response").GetString()));
            foreach (var events in (IReadOnlyList<StreamedEvent>[])[await own.AllAsync(), await other.AllAsync()])
                Assert.Equal(("stopped", stopped.GetProperty("response").GetRawText()), (events[^1].Name, events[^1].Data.GetRawText()));
        }

        // One of five: a busy machine may delay any of them. A process that did not look for stops would lose its lease after two seconds.
        Assert.True(quickest < TimeSpan.FromSeconds(1.9), $"The model was cancelled after {quickest}.");
        Assert.Equal(5, _service.Model.Requests.Count);
        _service.Model.Answer("The next answer.");
        Assert.Equal("The next answer.", (await (await AskAsync(two, session)).JsonAsync()).GetProperty("response").GetString());
    }

    [Fact]
    public async Task A_turn_whose_process_was_killed_is_ended_with_what_it_had_saved_and_nobody_takes_it_over()
    {
        // The lease is long: nobody waits for it.
        await using var doomed = Start(("Turns__Lease", "00:05:00"));
        await using var other = Start();
        await Task.WhenAll(doomed.WaitUntilReadyAsync(), other.WaitUntilReadyAsync());
        var session = Guid.NewGuid();
        var gate = _service.Model.AnswerInTwo("Half 🤖 an", "answer.");
        var lost = AskAsync(doomed, session);
        await gate.WhenReached;
        var turn = await TurnAsync(session, 1);
        await Until.TrueAsync(async () => await _service.ScalarAsync<int>("select octet_length(partial_text) from turns") == 20, "The text is not saved.");
        doomed.Kill();
        await Assert.ThrowsAnyAsync<HttpRequestException>(() => lost);

        var started = Stopwatch.GetTimestamp();
        var stopped = await (await other.Client.PostAsync($"/chat/turns/{turn}/stop", null)).JsonAsync();

        TestContext.Current.TestOutputHelper?.WriteLine($"ended after {Stopwatch.GetElapsedTime(started).TotalMilliseconds:F0} ms");
        Assert.Equal(("stopped", "Half 🤖 an"), (stopped.GetProperty("state").GetString(), stopped.GetProperty("response").GetProperty("response").GetString()));
        Assert.Single(_service.Model.Requests);
        _service.Model.Answer("The next answer.");
        Assert.Equal("The next answer.", (await (await AskAsync(other, session)).JsonAsync()).GetProperty("response").GetString());
    }

    [Fact]
    public async Task A_stop_whose_own_process_is_killed_is_still_carried_out()
    {
        await using var one = Start();
        await using var doomed = Start();
        await Task.WhenAll(one.WaitUntilReadyAsync(), doomed.WaitUntilReadyAsync());
        var session = Guid.NewGuid();
        var gate = _service.Model.AnswerInTwo("Half", "more.");
        var asking = AskAsync(one, session);
        await gate.WhenReached;
        var turn = await TurnAsync(session, 1);

        var lost = doomed.Client.PostAsync($"/chat/turns/{turn}/stop", null);
        await Until.TrueAsync(async () => await _service.ScalarAsync<bool>("select stop_requested_at is not null from turns"), "The stop is not stored.");
        doomed.Kill();

        Assert.Equal("stopped", (await (await asking).JsonAsync()).GetProperty("finish_reason").GetString());
        await ((Task)lost).ContinueWith(_ => { }, TestContext.Current.CancellationToken, TaskContinuationOptions.None, TaskScheduler.Default);
    }

    [Fact]
    public async Task A_process_that_waits_for_its_turns_after_SIGTERM_still_hears_of_a_stop()
    {
        await using var service = Start();
        await service.WaitUntilReadyAsync();
        var session = Guid.NewGuid();
        _service.Model.StallAfter("Half");
        // The reader goes away, so the server has no connection to wait for.
        using (var asked = await AskAsync(service, session, stream: true))
        {
            using var stream = new EventStream(asked);
            while ((await stream.NextAsync())!.Name != "delta")
            {
            }
        }

        service.Stop();
        await Until.TrueAsync(service.RefusesConnectionsAsync, "The service still takes new connections.");
        // Another replica has taken the request.
        await _service.ScalarAsync<int>("update turns set stop_requested_at = now()");

        await Until.TrueAsync(async () => await _service.ScalarAsync<string>("select state::text from turns") == "stopped", () => $"The turn was not stopped:\n{service.Output}");
        Assert.Equal(0, await service.WaitForExitAsync());
    }

    private Task<Guid> TurnAsync(Guid session, int number) =>
        _service.ScalarAsync<Guid>("select id from turns where session_id = @session and number = @number", new { session, number });

    private static Task<HttpResponseMessage> AskAsync(ServiceProcess service, Guid session, bool stream = false)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/chat") { Content = JsonContent.Create(new { message = Question, session_id = session }) };
        request.Headers.Add("Accept", stream ? "text/event-stream" : "application/json");
        return service.Client.SendAsync(request, stream ? HttpCompletionOption.ResponseHeadersRead : HttpCompletionOption.ResponseContentRead, TestContext.Current.CancellationToken);
    }

    private ServiceProcess Start(params (string Name, string Value)[] settings) => _service.Start([.. settings, ("RATE_LIMIT_CHAT", "0")]);
}
