using System.Diagnostics;
using System.Diagnostics.Metrics;
using System.Text;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Tests.Infrastructure.Auth;

namespace ChatBackend.Tests.Infrastructure.Ai.OpenAi;

public sealed class OpenAiChatModelTests
{
    private static readonly TimeSpan Silence = TimeSpan.FromSeconds(20);

    [Fact]
    public async Task An_answer_comes_in_pieces_and_ends_with_its_finish_usage_and_model()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Answer("Nodes talk over topics [1].", model: "gpt-4o-mini-2024-07-18");
        using var tested = new ModelUnderTest(stub.BaseUrl);

        var pieces = new List<ModelPiece>();
        await foreach (var piece in tested.Model.StreamAsync(ModelUnderTest.Ask("How?"), CancellationToken.None))
            pieces.Add(piece);

        Assert.Equal("Nodes talk over topics [1].", string.Concat(pieces.Select(p => p.Text)));
        Assert.Equal(6, pieces.Count);
        Assert.All(pieces.SkipLast(1), p => Assert.Null(p.Finish));
        Assert.Equal(new ModelPiece("") { Finish = ModelFinish.Stop, Usage = new(11, 7), Model = "gpt-4o-mini-2024-07-18" }, pieces[^1]);
    }

    [Fact]
    public async Task The_request_holds_the_prompt_the_key_and_asks_for_the_tokens_used()
    {
        await using var stub = await StubOpenAi.StartAsync();
        using var tested = new ModelUnderTest(stub.BaseUrl);

        await tested.RunAsync(new([new(ModelRole.System, "Rules."), new(ModelRole.User, "One?"), new(ModelRole.Assistant, "Two."), new(ModelRole.User, "Three?")]) { MaxOutputTokens = 77 });

        var request = Assert.Single(stub.Requests);
        Assert.Equal([("system", "Rules."), ("user", "One?"), ("assistant", "Two."), ("user", "Three?")], request.Messages);
        Assert.Equal("gpt-4o-mini", request.Model);
        Assert.True(request.IsStream);
        Assert.True(request.Body.GetProperty("stream_options").GetProperty("include_usage").GetBoolean());
        Assert.Equal(77, request.Body.GetProperty("max_completion_tokens").GetInt32());
        Assert.Equal($"Bearer {ModelUnderTest.Key}", request.Authorization);
    }

    [Fact]
    public async Task An_answer_can_be_asked_for_in_a_JSON_schema()
    {
        await using var stub = await StubOpenAi.StartAsync();
        using var tested = new ModelUnderTest(stub.BaseUrl);

        await tested.RunAsync(ModelUnderTest.Ask("One?") with { JsonSchema = """{"type": "object"}""" });
        await tested.RunAsync();

        var format = stub.Requests[0].Body.GetProperty("response_format");
        Assert.Equal("json_schema", format.GetProperty("type").GetString());
        Assert.Equal("object", format.GetProperty("json_schema").GetProperty("schema").GetProperty("type").GetString());
        Assert.True(format.GetProperty("json_schema").GetProperty("strict").GetBoolean());
        Assert.False(stub.Requests[1].Body.TryGetProperty("response_format", out _));
    }

    [Fact]
    public async Task A_local_server_needs_no_key()
    {
        await using var stub = await StubOpenAi.StartAsync();
        using var tested = new ModelUnderTest(stub.BaseUrl, options: o => o.ApiKey = null);

        Assert.Equal("The stub's answer.", (await tested.RunAsync()).Text);
    }

    [Theory]
    [InlineData("/")]
    [InlineData("?api-version=1")]
    public async Task The_servers_address_may_end_with_a_slash_or_a_query(string end)
    {
        await using var stub = await StubOpenAi.StartAsync();
        using var tested = new ModelUnderTest(stub.BaseUrl + end);

        Assert.Equal("The stub's answer.", (await tested.RunAsync()).Text);
    }

    [Fact]
    public async Task Requests_are_what_OpenAIs_own_description_allows()
    {
        if (ApiDescription.OpenAi is not { } description)
        {
            Assert.Skip("OpenAI's description (openai-openapi.yaml) is not on this machine; CHATBACKEND_SHARED can name its folder.");
            return;
        }

        await using var stub = await StubOpenAi.StartAsync();
        using var tested = new ModelUnderTest(stub.BaseUrl);
        await tested.RunAsync(new([new(ModelRole.System, "Rules."), new(ModelRole.User, "One?"), new(ModelRole.Assistant, "Two."), new(ModelRole.User, "Three?")]) { MaxOutputTokens = 77 });
        await tested.Embedder.EmbedAsync(["one", "two"], CancellationToken.None);

        Assert.Empty(description.Problems("CreateChatCompletionRequest", Assert.Single(stub.Requests).Body));
        Assert.Empty(description.Problems("CreateEmbeddingRequest", Assert.Single(stub.EmbeddingRequests).Body));
        // The check itself can fail.
        Assert.NotEmpty(description.Problems("CreateChatCompletionRequest", System.Text.Json.JsonDocument.Parse("""{"model":"m","messages":[{"role":"nobody","content":"x"}]}""").RootElement));
        Assert.NotEmpty(description.Problems("CreateChatCompletionRequest", System.Text.Json.JsonDocument.Parse("""{"model":"m","messages":[{"role":"user","content":"x"}],"surprise":1}""").RootElement));
        Assert.NotEmpty(description.Problems("CreateChatCompletionRequest", System.Text.Json.JsonDocument.Parse("""{"model":"m"}""").RootElement));
    }

    /// <summary>What the model's server does, what the caller gets, and how many requests were sent.</summary>
    public static TheoryData<string, string, int, string> Faults => new()
    {
        { "500", "Failed", 3, "" },
        { "502", "Failed", 3, "" },
        { "503", "Unavailable", 3, "" },
        { "504", "Timeout", 3, "" },
        { "529", "Unavailable", 3, "" },
        { "408", "Timeout", 3, "" },
        { "409", "Failed", 3, "" },
        { "429", "RateLimited", 3, "" },
        { "quota", "RateLimited", 1, "" },
        { "context", "ContextTooLong", 1, "" },
        { "context in words", "ContextTooLong", 1, "" },
        { "400", "Failed", 1, "" },
        { "400 content_filter", "Refused", 1, "" },
        { "401", "Failed", 1, "" },
        { "403", "Failed", 1, "" },
        { "404", "Failed", 1, "" },
        { "422", "Failed", 1, "" },
        { "307", "Failed", 1, "" },
        { "hang", "Timeout", 3, "" },
        { "stall", "Timeout", 1, "Half an answer" },
        { "reset before headers", "Unavailable", 3, "" },
        { "reset", "Failed", 1, "Half an answer" },
        { "truncated before text", "Failed", 3, "" },
        { "truncated", "Failed", 1, "Half an answer" },
        { "error in the stream before text", "Failed", 3, "" },
        { "error in the stream", "Failed", 1, "Half an answer" },
        { "rate limit in the stream", "RateLimited", 1, "Half an answer" },
        { "malformed JSON", "Failed", 1, "Half" },
        { "html", "Failed", 3, "" },
        { "no choices", "Failed", 3, "" },
        { "unknown finish_reason", "Failed", 1, "Half" },
        { "tool_calls", "Failed", 1, "Half" },
        { "refusal", "Refused", 1, "" },
        { "empty", "Failed", 1, "" },
        { "empty for length", "Failed", 1, "" },
        { "empty for content_filter", "Refused", 1, "" },
        { "length", "", 1, "A whole answer" },
        { "content_filter", "", 1, "A whole answer" },
        { "no usage, no DONE", "", 1, "Half" },
        { "null error beside a delta", "", 1, "Half" },
        { "error in words", "Failed", 1, "Half" },
        { "error with a number as code", "Failed", 1, "Half" },
        { "choices that are no list", "Failed", 1, "Half" },
        { "text in parts", "", 1, "Half" },
        { "empty finish_reason beside a delta", "", 1, "Half" },
        { "finish_reason in capitals", "", 1, "Half" },
        { "stall after the finish", "", 1, "Half" },
        { "break after the finish", "", 1, "Half" },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task Every_fault_has_its_kind_its_number_of_calls_and_leaks_nothing(string fault, string failure, int calls, string text)
    {
        await using var stub = await StubOpenAi.StartAsync();
        Script(stub, fault);
        var clock = fault == "hang" ? new FakeClock() : null;
        using var tested = new ModelUnderTest(
            stub.BaseUrl,
            limits =>
            {
                if (fault == "hang")
                    limits.FirstPiece = Silence;
                // Longer than the pieces before it are apart, also on a busy machine.
                else if (fault == "stall")
                    limits.Gap = TimeSpan.FromSeconds(4);
            },
            clock: clock);

        var asking = tested.RunAsync();
        if (clock is not null)
            await ModelUnderTest.EndSilenceAsync(clock, Silence, () => stub.Requests.Count, calls);
        var (shown, end, exception) = await asking;

        Assert.Equal(failure, exception?.Failure.ToString() ?? "");
        Assert.Equal(text, shown);
        Assert.Equal(calls, stub.Requests.Count);
        Assert.Equal(failure.Length == 0, end is not null);
        if (failure.Length == 0)
            Assert.Equal(fault switch { "length" => ModelFinish.Length, "content_filter" => ModelFinish.ContentFilter, _ => ModelFinish.Stop }, end!.Finish);

        var line = Assert.Single(tested.Log);
        Assert.Contains($"{calls} attempts", line, StringComparison.Ordinal);
        Assert.StartsWith(failure.Length == 0 ? "Information" : "Warning", line, StringComparison.Ordinal);
        Assert.All([line, exception?.ToString() ?? ""], said =>
        {
            Assert.DoesNotContain(StubOpenAi.UpstreamText, said, StringComparison.Ordinal);
            Assert.DoesNotContain(ModelUnderTest.Key, said, StringComparison.Ordinal);
            Assert.DoesNotContain("127.0.0.1", said, StringComparison.Ordinal);
            Assert.DoesNotContain("What is a node", said, StringComparison.Ordinal);
            Assert.DoesNotContain("Half an answer", said, StringComparison.Ordinal);
        });
    }

    [Fact]
    public async Task A_refused_connection_is_unavailable()
    {
        var stub = await StubOpenAi.StartAsync();
        var nobody = stub.BaseUrl;
        await stub.DisposeAsync();
        using var tested = new ModelUnderTest(nobody);

        var failure = (await tested.RunAsync()).Failure;

        Assert.Equal(ModelFailure.Unavailable, failure?.Failure);
        Assert.Contains("3 attempts", Assert.Single(tested.Log), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_stream_cut_at_any_byte_is_whole_only_if_its_finish_reason_came()
    {
        const string Text = "Nodes 🤖 speak: ٹاپک über 漢字.";
        var body = StubOpenAi.AnswerBytes(Text);
        var finish = Encoding.UTF8.GetString(body).IndexOf("\"finish_reason\":\"stop\"", StringComparison.Ordinal);
        var wholeFrom = Encoding.UTF8.GetByteCount(Encoding.UTF8.GetString(body)[..(Encoding.UTF8.GetString(body).IndexOf("\n\n", finish, StringComparison.Ordinal) + 2)]);
        await using var stub = await StubOpenAi.StartAsync();
        using var tested = new ModelUnderTest(stub.BaseUrl, limits =>
        {
            limits.RetryMin = limits.RetryMax = TimeSpan.Zero;
            limits.BreakerMinimum = int.MaxValue;
        });

        for (var cut = 0; cut <= body.Length; cut++)
        {
            // The same again for each attempt that comes before the first text.
            for (var i = 0; i < 3; i++)
                stub.Bytes(body.AsMemory(0, cut));
            var (text, end, failure) = await tested.RunAsync();
            stub.Clear();

            Assert.True(end is not null == (cut >= wholeFrom), $"cut at {cut} of {body.Length}, whole from {wholeFrom}: {failure?.Failure}");
            Assert.StartsWith(text, Text, StringComparison.Ordinal);
            Assert.DoesNotContain('\uFFFD', text);
            if (end is not null)
                Assert.Equal(Text, text);
        }
    }

    [Fact]
    public async Task Bytes_that_come_one_by_one_make_the_same_text()
    {
        const string Text = "Nodes 🤖 speak: ٹاپک über 漢字.";
        await using var stub = await StubOpenAi.StartAsync();
        stub.Bytes(StubOpenAi.AnswerBytes(Text), oneByOne: true);
        using var tested = new ModelUnderTest(stub.BaseUrl);

        Assert.Equal(Text, (await tested.RunAsync()).Text);
    }

    [Fact]
    public async Task After_a_fault_the_next_attempt_answers_and_the_reader_sees_nothing_of_it()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Fail(503).ResetAfter("").Answer("At last.");
        using var tested = new ModelUnderTest(stub.BaseUrl);

        var (text, end, _) = await tested.RunAsync();

        Assert.Equal("At last.", text);
        Assert.Equal(ModelFinish.Stop, end?.Finish);
        Assert.Equal(3, stub.Requests.Count);
    }

    [Fact]
    public async Task Attempts_are_apart_by_a_random_time_within_the_bounds()
    {
        await using var stub = await StubOpenAi.StartAsync();
        using var tested = new ModelUnderTest(stub.BaseUrl, limits => (limits.RetryMin, limits.RetryMax) = (TimeSpan.FromMilliseconds(60), TimeSpan.FromMilliseconds(120)));

        var waits = new List<TimeSpan>();
        for (var i = 0; i < 5; i++)
        {
            stub.Fail(500, times: 2);
            var started = Stopwatch.GetTimestamp();
            await tested.RunAsync();
            waits.Add(Stopwatch.GetElapsedTime(started));
        }

        Assert.All(waits, wait => Assert.True(wait >= TimeSpan.FromMilliseconds(100), $"{wait} for two waits"));
    }

    [Theory]
    [InlineData("retry-after", "1", 1000)]
    [InlineData("retry-after", "date", 1000)]
    [InlineData("retry-after-ms", "300", 300)]
    public async Task Retry_After_is_honoured(string header, string value, int milliseconds)
    {
        await using var stub = await StubOpenAi.StartAsync();
        // A date has whole seconds, and some time goes by before the request: three from now is at least one.
        stub.Fail(429, headers: (header, value == "date" ? DateTimeOffset.UtcNow.AddSeconds(3).ToString("R") : value));
        using var tested = new ModelUnderTest(stub.BaseUrl);

        var started = Stopwatch.GetTimestamp();
        var (text, _, _) = await tested.RunAsync();

        Assert.Equal("The stub's answer.", text);
        Assert.True(Stopwatch.GetElapsedTime(started) >= TimeSpan.FromMilliseconds(milliseconds - 50), $"{Stopwatch.GetElapsedTime(started)}");
    }

    [Fact]
    public async Task A_Retry_After_beyond_the_budget_fails_at_once_with_its_value()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Fail(429, headers: ("retry-after", "600"));
        using var tested = new ModelUnderTest(stub.BaseUrl);

        var started = Stopwatch.GetTimestamp();
        var failure = (await tested.RunAsync()).Failure;

        Assert.Equal(ModelFailure.RateLimited, failure?.Failure);
        Assert.Equal(TimeSpan.FromSeconds(600), failure?.RetryAfter);
        Assert.Single(stub.Requests);
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromSeconds(25));
    }

    [Fact]
    public async Task The_budget_ends_an_answer_that_never_ends()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.StallAfter("Half an answer");
        var (clock, budget, text) = (new FakeClock(), TimeSpan.FromSeconds(7), "");
        using var tested = new ModelUnderTest(stub.BaseUrl, clock: clock);

        var failure = await Assert.ThrowsAsync<ModelException>(async () =>
        {
            await foreach (var piece in tested.Model.StreamAsync(ModelUnderTest.Ask("Why?") with { Budget = budget }, CancellationToken.None))
            {
                text += piece.Text;
                if (text == "Half an answer")
                    clock.Advance(budget);
            }
        });

        Assert.Equal("Half an answer", text);
        Assert.Equal(ModelFailure.Timeout, failure.Failure);
        await stub.Requests[0].Aborted.WaitAsync(TimeSpan.FromMinutes(2));
    }

    [Fact]
    public async Task The_budget_holds_for_all_attempts_together()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Fail(503, headers: ("retry-after", "5")).Hang();
        var clock = new FakeClock();
        using var tested = new ModelUnderTest(stub.BaseUrl, clock: clock);

        var asking = tested.RunAsync(ModelUnderTest.Ask("Why?") with { Budget = TimeSpan.FromSeconds(7) });
        await Until.TrueAsync(() => clock.IsAwaitedWithin(TimeSpan.FromSeconds(5)), "the second attempt is not waited for");
        clock.Advance(TimeSpan.FromSeconds(5));
        await Until.TrueAsync(() => stub.Requests.Count == 2, "the second request did not come");
        clock.Advance(TimeSpan.FromSeconds(1.9));
        Assert.False(asking.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(0.1));

        var failure = (await asking.WaitAsync(TimeSpan.FromMinutes(2))).Failure;
        Assert.Equal(ModelFailure.Timeout, failure?.Failure);
        Assert.Equal(2, stub.Requests.Count);
    }

    [Fact]
    public async Task A_cancelled_reader_ends_the_request_upstream_at_once()
    {
        await AtOnceAsync(async () =>
        {
            await using var stub = await StubOpenAi.StartAsync();
            stub.StallAfter("Half an answer");
            using var tested = new ModelUnderTest(stub.BaseUrl);
            using var cancelled = new CancellationTokenSource();

            var reading = tested.RunAsync(cancellationToken: cancelled.Token);
            await Until.TrueAsync(() => stub.Requests.Count == 1, "the request did not come");
            var started = Stopwatch.GetTimestamp();
            await cancelled.CancelAsync();

            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => reading);
            await stub.Requests[0].Aborted.WaitAsync(TimeSpan.FromMinutes(2));
            Assert.Contains("cancelled", Assert.Single(tested.Log), StringComparison.Ordinal);
            return Stopwatch.GetElapsedTime(started);
        });
    }

    [Fact]
    public async Task A_reader_who_stops_reading_ends_the_request_upstream()
    {
        await AtOnceAsync(async () =>
        {
            await using var stub = await StubOpenAi.StartAsync();
            var gate = stub.AnswerInTwo("First part", "second part");
            using var tested = new ModelUnderTest(stub.BaseUrl);

            var started = 0L;
            await foreach (var piece in tested.Model.StreamAsync(ModelUnderTest.Ask("Why?"), CancellationToken.None))
            {
                await gate.WhenReached;
                started = Stopwatch.GetTimestamp();
                Assert.Equal("First", piece.Text);
                break;
            }

            await stub.Requests[0].Aborted.WaitAsync(TimeSpan.FromMinutes(2));
            return Stopwatch.GetElapsedTime(started);
        });
    }

    /// <summary>The runtime alone would read on for two seconds. A busy machine may delay one attempt of five, but not each of them.</summary>
    private static async Task AtOnceAsync(Func<Task<TimeSpan>> endAsync)
    {
        List<TimeSpan> waits = [];
        while (waits is not [.., var last] || last >= TimeSpan.FromSeconds(1.9))
        {
            Assert.True(waits.Count < 5, $"It took {string.Join(", ", waits)}.");
            waits.Add(await endAsync());
        }
    }

    [Fact]
    public async Task A_connection_reset_in_the_middle_fails_the_answer_after_its_first_part()
    {
        await using var stub = await StubOpenAi.StartAsync();
        var gate = stub.AnswerInTwo("First part", "second part");
        using var tested = new ModelUnderTest(stub.BaseUrl);
        var shown = "";

        var failure = await Assert.ThrowsAsync<ModelException>(async () =>
        {
            await foreach (var piece in tested.Model.StreamAsync(ModelUnderTest.Ask("Why?"), CancellationToken.None))
            {
                shown += piece.Text;
                if (shown == "First part")
                    gate.Reset();
            }
        });

        Assert.Equal("First part", shown);
        Assert.Equal(ModelFailure.Failed, failure.Failure);
        Assert.Single(stub.Requests);
    }

    [Fact]
    public async Task Connections_are_used_again_after_whole_answers()
    {
        await using var stub = await StubOpenAi.StartAsync();
        using var tested = new ModelUnderTest(stub.BaseUrl);
        var opened = 0;
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, listening) =>
            {
                if (instrument.Name == "http.client.connection.duration")
                    listening.EnableMeasurementEvents(instrument);
            },
        };
        // A connection is measured when it closes.
        listener.SetMeasurementEventCallback<double>((_, _, tags, _) =>
        {
            foreach (var tag in tags)
                if (tag.Key == "server.port" && tag.Value is int port && port == new Uri(stub.BaseUrl).Port)
                    Interlocked.Increment(ref opened);
        });
        listener.Start();

        for (var i = 0; i < 5; i++)
            Assert.Null((await tested.RunAsync()).Failure);

        Assert.Equal(0, Volatile.Read(ref opened));
    }

    [Fact]
    public async Task The_breaker_fails_requests_in_milliseconds_and_closes_again()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Fail(500, times: 6);
        var (clock, open) = (new MovedClock(), TimeSpan.FromMinutes(10));
        using var tested = new ModelUnderTest(
            stub.BaseUrl, limits => (limits.BreakerMinimum, limits.BreakerWindow, limits.BreakerOpen) = (6, TimeSpan.FromMinutes(10), open), clock: clock);
        for (var i = 0; i < 2; i++)
            Assert.Equal(ModelFailure.Failed, (await tested.RunAsync()).Failure?.Failure);

        var refused = (await tested.RunAsync()).Failure;
        Assert.Equal(ModelFailure.Unavailable, refused?.Failure);
        Assert.InRange(refused!.RetryAfter!.Value, TimeSpan.FromMilliseconds(1), open);
        Assert.Equal(6, stub.Requests.Count);

        clock.Move(open);
        Assert.Null((await tested.RunAsync()).Failure);
    }

    [Fact]
    public async Task Requests_that_the_server_refuses_do_not_open_the_breaker()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Fail(400, times: 20);
        using var tested = new ModelUnderTest(stub.BaseUrl, limits => limits.BreakerMinimum = 5);
        for (var i = 0; i < 20; i++)
            Assert.Equal(ModelFailure.Failed, (await tested.RunAsync()).Failure?.Failure);

        Assert.Equal("The stub's answer.", (await tested.RunAsync()).Text);
    }

    [Fact]
    public async Task The_second_model_answers_when_the_first_one_failed_for_good()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Fail(500, times: 3);
        using var tested = new ModelUnderTest(stub.BaseUrl, options: o => o.FallbackModel = "second");

        var (text, end, _) = await tested.RunAsync();

        Assert.Equal("The stub's answer.", text);
        Assert.Equal("second", end?.Model);
        Assert.Equal(["gpt-4o-mini", "gpt-4o-mini", "gpt-4o-mini", "second"], stub.Requests.Select(r => r.Model));
    }

    [Fact]
    public async Task The_fallback_model_is_asked_once_and_the_first_failure_is_reported()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Fail(503, times: 3).Fail(500, times: 3);
        using var tested = new ModelUnderTest(stub.BaseUrl, options: o => o.FallbackModel = "second");

        Assert.Equal(ModelFailure.Unavailable, (await tested.RunAsync()).Failure?.Failure);
        Assert.Equal(4, stub.Requests.Count);
    }

    [Fact]
    public async Task With_a_second_model_nobody_waits_long_for_the_first()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Hang().Answer("From the second.").Fail(429, headers: ("retry-after", "20")).Answer("Again from the second.");
        // Whoever waited for anything but the first piece would wait for ever: nobody advances the clock.
        var clock = new FakeClock();
        using var tested = new ModelUnderTest(stub.BaseUrl, limits => limits.FirstPiece = Silence, o => o.FallbackModel = "second", clock);

        var asking = tested.RunAsync();
        await ModelUnderTest.EndSilenceAsync(clock, Silence, () => stub.Requests.Count, attempts: 1);
        Assert.Equal("From the second.", (await asking.WaitAsync(TimeSpan.FromMinutes(2))).Text);
        Assert.Equal("Again from the second.", (await tested.RunAsync().WaitAsync(TimeSpan.FromMinutes(2))).Text);

        Assert.Equal(["gpt-4o-mini", "second", "gpt-4o-mini", "second"], stub.Requests.Select(r => r.Model));
    }

    [Fact]
    public async Task An_open_breaker_leads_straight_to_the_second_model()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Fail(500, times: 3);
        using var tested = new ModelUnderTest(stub.BaseUrl, limits => limits.BreakerMinimum = 3, o => o.FallbackModel = "second");
        await tested.RunAsync();
        var before = stub.Requests.Count;

        Assert.Equal("second", (await tested.RunAsync()).End?.Model);
        Assert.Equal(["second"], stub.Requests.Skip(before).Select(r => r.Model));
    }

    [Fact]
    public async Task No_other_model_is_asked_once_text_was_shown_or_for_what_is_too_long()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.TruncateAfter("Half an answer").Fail(400, "context_length_exceeded").Refuse();
        using var tested = new ModelUnderTest(stub.BaseUrl, options: o => o.FallbackModel = "second");

        Assert.Equal("Half an answer", (await tested.RunAsync()).Text);
        Assert.Equal(ModelFailure.ContextTooLong, (await tested.RunAsync()).Failure?.Failure);
        Assert.Equal(ModelFailure.Refused, (await tested.RunAsync()).Failure?.Failure);
        Assert.Equal(3, stub.Requests.Count);
    }

    [Fact]
    public async Task A_call_is_traced_and_counted()
    {
        await using var stub = await StubOpenAi.StartAsync();
        using var tested = new ModelUnderTest(stub.BaseUrl, options: o => o.ChatModel = "counted-model");
        var activities = new List<Activity>();
        using var tracing = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "ChatBackend.Ai",
            Sample = (ref _) => ActivitySamplingResult.AllData,
            ActivityStopped = activity =>
            {
                if (activity.DisplayName == "chat counted-model")
                    activities.Add(activity);
            },
        };
        ActivitySource.AddActivityListener(tracing);

        await tested.RunAsync();

        var activity = Assert.Single(activities);
        Assert.Equal(11, activity.GetTagItem("gen_ai.usage.input_tokens"));
        Assert.Equal(7, activity.GetTagItem("gen_ai.usage.output_tokens"));
        Assert.Contains("11 tokens in, 7 out, 1 attempts", Assert.Single(tested.Log), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_whole_answer_can_be_read_at_once()
    {
        await using var stub = await StubOpenAi.StartAsync();
        stub.Answer("Yes it is.").TruncateAfter("Half");
        using var tested = new ModelUnderTest(stub.BaseUrl);

        var answer = await tested.Model.CompleteAsync(ModelUnderTest.Ask("Is it?"), CancellationToken.None);

        Assert.Equal(new ModelAnswer("Yes it is.", ModelFinish.Stop, new(11, 7), "gpt-4o-mini"), answer);
        await Assert.ThrowsAsync<ModelException>(() => tested.Model.CompleteAsync(ModelUnderTest.Ask("Is it?"), CancellationToken.None));
    }

    private static void Script(StubOpenAi stub, string fault)
    {
        const string Delta = """{"content":"Half"}""";
        const string Chunk = """!{"id":"1","object":"chat.completion.chunk","created":1,"model":"m","choices":""";
        switch (fault)
        {
            case "quota": stub.Fail(429, "insufficient_quota", times: 3); break;
            case "context": stub.Fail(400, "context_length_exceeded", times: 3); break;
            case "context in words": stub.Fail(400, message: "This model's maximum context length is 4096 tokens.", times: 3); break;
            case "400 content_filter": stub.Fail(400, "content_filter", times: 3); break;
            case "hang": stub.Hang(times: 3); break;
            case "stall": stub.StallAfter("Half an answer"); break;
            case "reset before headers": stub.ResetAfter("", times: 3); break;
            case "reset": stub.ResetAfter("Half an answer"); break;
            case "truncated before text": stub.TruncateAfter("", times: 3); break;
            case "truncated": stub.TruncateAfter("Half an answer"); break;
            case "error in the stream before text": stub.ErrorAfter("", times: 3); break;
            case "error in the stream": stub.ErrorAfter("Half an answer"); break;
            case "rate limit in the stream": stub.ErrorAfter("Half an answer", "rate_limit_exceeded"); break;
            case "malformed JSON": stub.Stream([Delta, "!{\"id\":"]); break;
            case "html":
                for (var i = 0; i < 3; i++)
                    stub.Bytes(Encoding.UTF8.GetBytes($"<html><body>{StubOpenAi.UpstreamText}</body></html>"), "text/html");
                break;
            case "no choices":
                for (var i = 0; i < 3; i++)
                    stub.Stream([Chunk + "[]}", "[DONE]"]);
                break;
            case "unknown finish_reason": stub.Stream([Delta, "finish eos", "[DONE]"]); break;
            case "tool_calls": stub.Stream([Delta, "finish tool_calls", "[DONE]"]); break;
            case "refusal": stub.Refuse(); break;
            case "empty": stub.Answer(""); break;
            case "empty for length": stub.Answer("", "length"); break;
            case "empty for content_filter": stub.Answer("", "content_filter"); break;
            case "length" or "content_filter": stub.Answer("A whole answer", fault); break;
            case "no usage, no DONE": stub.Stream([Delta, "finish stop"]); break;
            case "null error beside a delta": stub.Stream([$$$"""{{{Chunk}}}[{"index":0,"delta":{"content":"Half"},"finish_reason":null}],"error":null}""", "finish stop", "[DONE]"]); break;
            case "error in words": stub.Stream([Delta, $$"""!{"error":"{{StubOpenAi.UpstreamText}}"}"""]); break;
            case "error with a number as code": stub.Stream([Delta, $$$"""!{"error":{"code":500,"message":"{{{StubOpenAi.UpstreamText}}}"}}"""]); break;
            case "choices that are no list": stub.Stream([Delta, Chunk + "{}}", "finish stop"]); break;
            case "text in parts": stub.Stream(["""{"content":[{"type":"text","text":"Ha"},{"type":"text","text":"lf"}]}""", "finish stop", "[DONE]"]); break;
            case "empty finish_reason beside a delta": stub.Stream([$$$"""{{{Chunk}}}[{"index":0,"delta":{"content":"Half"},"finish_reason":""}]}""", "finish stop", "[DONE]"]); break;
            case "finish_reason in capitals": stub.Stream([Delta, "finish STOP", "[DONE]"]); break;
            case "stall after the finish": stub.Stream([Delta, "finish stop", "hang"]); break;
            case "break after the finish": stub.Stream([Delta, "finish stop", "break"]); break;
            default: stub.Fail(int.Parse(fault), times: 3); break;
        }
    }
}
