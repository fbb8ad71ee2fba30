using System.Diagnostics;
using System.Text;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;

namespace ChatBackend.Tests.Features.Chat;

/// <summary>What a reader gets when the model fails, fault by fault; each with a service whose waits are short.</summary>
public sealed class ModelFaultTests
{
    private static readonly byte[] HalfAnEvent = Encoding.UTF8.GetBytes("data: {\"choices\": [{\n\n");

    private const string Question = "How do two ROS 2 nodes talk to each other over topics?";

    /// <summary>The fault, what the reader gets, and how often the model was asked.</summary>
    public static TheoryData<string, int, string, int> Faults => new()
    {
        { "500", 500, "model_failed", 3 },
        { "503", 503, "model_unavailable", 3 },
        { "429 for an hour", 503, "model_rate_limited", 1 },
        { "hang", 500, "model_timeout", 3 },
        { "malformed JSON", 500, "model_failed", 3 },
        { "empty answer", 500, "model_failed", 1 },
        { "cut before the first word", 500, "model_failed", 3 },
        { "refusal", 500, "model_refused", 1 },
        { "content filter before the first word", 500, "model_refused", 1 },
        { "context too long, always", 500, "model_context_too_long", 3 },
    };

    [Theory]
    [MemberData(nameof(Faults))]
    public async Task A_failure_is_a_problem_with_the_headings_found_and_the_turn_ends(string fault, int status, string code, int calls)
    {
        await using var app = await StartAsync(a => a["ModelLimits:FirstPiece"] = fault == "hang" ? "00:00:03" : "00:00:20");
        Script(app, fault);

        var response = await app.AskAsync(new { message = Question });
        var problem = await response.ProblemAsync(status, code);

        Assert.Equal("/docs/ros2/topics#how-nodes-talk", problem.GetProperty("retrieved")[0].GetProperty("url").GetString());
        Assert.DoesNotContain("UPSTREAM", problem.ToString());
        Assert.Equal(calls, app.Model.Requests.Count);
        Assert.Equal(status == 503, response.Headers.RetryAfter is not null);
        Assert.Equal("failed", await app.ScalarAsync<string>("select state::text from turns"));
        Assert.InRange(await app.ScalarAsync<int?>("select latency_ms from turns") ?? -1, 0, 120_000);
    }

    [Fact]
    public async Task Rewriting_the_question_counts_towards_the_answers_time_limit()
    {
        await using var app = await StartAsync(a => a["MODEL_TIMEOUT_SECONDS"] = "10");
        app.Model.Hang(times: 2);
        var watch = Stopwatch.StartNew();

        await (await app.AskAsync(new { message = "دو نوڈز آپس میں کیسے بات کرتے ہیں؟" })).ProblemAsync(500, "model_timeout");

        Assert.Equal(2, app.Model.Requests.Count);
        // A tenth for the query, the rest for the answer.
        Assert.InRange(watch.Elapsed.TotalSeconds, 9.9, 10 + 9.9);
    }

    [Fact]
    public async Task A_model_that_is_slow_to_rewrite_a_question_does_not_open_the_breaker()
    {
        await using var app = await StartAsync(a => (a["MODEL_TIMEOUT_SECONDS"], a["ModelLimits:BreakerMinimum"]) = ("20", "2"));

        for (var i = 0; i < 3; i++)
        {
            app.Model.Hang().Answer("موضوعات کے ذریعے۔");
            await app.AnswerAsync(new { message = "دو نوڈز آپس میں کیسے بات کرتے ہیں؟" });
        }
    }

    [Fact]
    public async Task Text_that_PostgreSQL_cannot_store_does_not_fail_the_answer()
    {
        await using var app = await StartAsync();
        app.Model.Answer("Over\0 topics [1].");

        Assert.Equal("Over topics [1].", (await app.AnswerAsync(new { message = Question })).GetProperty("response").GetString());
    }

    [Theory]
    [InlineData("length", "partial")]
    [InlineData("stop", "none")]
    public async Task An_answer_that_was_cut_before_its_first_citation_does_not_count_as_ungrounded(string finish, string grounding)
    {
        await using var app = await StartAsync();
        app.Model.Answer("Nodes of ROS 2", finish);

        Assert.Equal(grounding, (await app.AnswerAsync(new { message = Question })).GetProperty("grounding").GetString());
    }

    [Fact]
    public async Task A_busy_model_is_retried_after_its_Retry_After()
    {
        await using var app = await StartAsync();
        app.Model.Fail(429, "rate_limit_exceeded", headers: ("Retry-After", "1")).Answer("Over topics [1].");
        var watch = Stopwatch.StartNew();

        var answer = await app.AnswerAsync(new { message = Question });

        Assert.Equal("Over topics [1].", answer.GetProperty("response").GetString());
        // Timers may fire some milliseconds early.
        Assert.True(watch.Elapsed >= TimeSpan.FromSeconds(0.9), $"{watch.Elapsed}");
        Assert.Equal(2, app.Model.Requests.Count);
    }

    [Fact]
    public async Task An_unreachable_model_is_503_with_the_passages_found()
    {
        await using var app = await StartAsync(a => a["OPENAI_BASE_URL"] = "http://127.0.0.1:1/v1");

        var response = await app.AskAsync(new { message = Question });

        var problem = await response.ProblemAsync(503, "model_unavailable");
        Assert.NotEmpty(problem.GetProperty("retrieved").EnumerateArray());
        Assert.NotNull(response.Headers.RetryAfter);
    }

    [Theory]
    [InlineData("truncated")]
    [InlineData("reset")]
    [InlineData("silence")]
    [InlineData("error in the stream")]
    public async Task After_the_first_delta_there_is_no_retry_and_the_text_is_kept(string fault)
    {
        await using var app = await StartAsync(a => a["ModelLimits:Gap"] = fault == "silence" ? "00:00:04" : "00:00:20");
        _ = fault switch
        {
            "truncated" => app.Model.TruncateAfter("Half an answer [1]"),
            "reset" => app.Model.ResetAfter("Half an answer [1]"),
            "silence" => app.Model.StallAfter("Half an answer [1]"),
            _ => app.Model.ErrorAfter("Half an answer [1]"),
        };

        using var response = await app.AskAsync(new { message = Question }, accept: "text/event-stream");
        using var stream = new EventStream(response);
        var events = await stream.AllAsync();

        var completed = events[^1];
        Assert.Equal("completed", completed.Name);
        Assert.True(completed.Data.GetProperty("incomplete").GetBoolean());
        Assert.Equal("Half an answer [1]", completed.Data.GetProperty("response").GetString());
        Assert.Equal(completed.Data.GetProperty("response").GetString(), EventStream.Text(events));
        Assert.Equal("/docs/ros2/topics#how-nodes-talk", completed.Data.GetProperty("citations")[0].GetProperty("url").GetString());
        Assert.Single(app.Model.Requests);
    }

    [Fact]
    public async Task A_prompt_that_is_too_long_is_asked_again_with_less_history()
    {
        await using var app = await StartAsync();
        var session = Guid.NewGuid();
        foreach (var i in Enumerable.Range(1, 4))
            await app.AnswerAsync(new { message = $"Question {i} about topics of ROS 2 nodes? {string.Concat(Enumerable.Repeat("And in detail? ", 100))}", session_id = session });
        var before = app.Model.Requests.Count;
        app.Model.Fail(400, "context_length_exceeded").Answer("Over topics [1].");

        var answer = await app.AnswerAsync(new { message = Question, session_id = session });

        var (tooLong, cut) = (app.Model.Requests[before], app.Model.Requests[before + 1]);
        Assert.Equal("Over topics [1].", answer.GetProperty("response").GetString());
        Assert.Equal(before + 2, app.Model.Requests.Count);
        Assert.Equal(2 + 8 + 1, tooLong.Messages.Count);
        Assert.InRange(cut.Messages.Count, 3, tooLong.Messages.Count - 1);
        Assert.Equal(Question, cut.Messages[^1].Content);
        Assert.Equal(tooLong.Messages.TakeLast(cut.Messages.Count - 2), cut.Messages.Skip(2));
    }

    [Fact]
    public async Task Without_history_a_prompt_that_is_too_long_is_asked_again_with_fewer_passages()
    {
        await using var app = await StartAsync();
        app.Model.Fail(400, "context_length_exceeded").Answer("Over topics [1].");

        await app.AnswerAsync(new { message = "Do nodes talk over topics, and a client with a service by request and response?" });

        var (tooLong, cut) = (PassagesOf(app.Model.Requests[0]), PassagesOf(app.Model.Requests[1]));
        Assert.InRange(tooLong, 2, 6);
        Assert.Equal((tooLong + 1) / 2, cut);

        static int PassagesOf(StubRequest request) => System.Text.RegularExpressions.Regex.Count(request.Messages[1].Content, @"<data-\w+: passage \[");
    }

    [Fact]
    public async Task While_the_breaker_is_open_new_questions_fail_in_milliseconds()
    {
        await using var app = await StartAsync(a => a["ModelLimits:BreakerMinimum"] = "6");
        app.Model.Fail(500, times: 6);
        foreach (var _ in Enumerable.Range(0, 2))
            await (await app.AskAsync(new { message = Question })).ProblemAsync(500, "model_failed");
        var asked = app.Model.Requests.Count;

        var response = await app.AskAsync(new { message = Question });

        await response.ProblemAsync(503, "model_unavailable");
        Assert.Equal(asked, app.Model.Requests.Count);
        Assert.InRange(response.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 1, 10);
    }

    [Fact]
    public async Task The_second_model_answers_and_is_named()
    {
        await using var app = await StartAsync(a => a["OPENAI_FALLBACK_MODEL"] = "second-model");
        app.Model.Fail(500, times: 3).Answer("Over topics [1].");

        var answer = await app.AnswerAsync(new { message = Question });

        Assert.Equal("second-model", answer.GetProperty("model").GetString());
        Assert.Equal("second-model", await app.ScalarAsync<string>("select model from turns"));
    }

    [Fact]
    public async Task What_an_answer_cost_is_in_usage_and_in_the_turn()
    {
        await using var app = await StartAsync();

        var usage = (await app.AnswerAsync(new { message = Question })).GetProperty("usage");

        Assert.Equal((11, 7), (usage.GetProperty("input_tokens").GetInt32(), usage.GetProperty("output_tokens").GetInt32()));
        Assert.InRange(usage.GetProperty("latency_ms").GetInt32(), 0, 60_000);
        Assert.Equal(
            $"11 7 {usage.GetProperty("latency_ms").GetInt32()}",
            await app.ScalarAsync<string>("select concat_ws(' ', input_tokens, output_tokens, latency_ms) from turns"));
    }

    private static async Task<ChatApp> StartAsync(Action<ChatApp>? settings = null)
    {
        var app = new ChatApp
        {
            ["ModelLimits:RetryMin"] = "00:00:00.001",
            ["ModelLimits:RetryMax"] = "00:00:00.005",
            ["ModelLimits:BreakerMinimum"] = "1000",
        };
        settings?.Invoke(app);
        await app.InitializeAsync();
        return app;
    }

    private static void Script(ChatApp app, string fault) => _ = fault switch
    {
        "500" => app.Model.Fail(500, times: 3),
        "503" => app.Model.Fail(503, times: 3),
        "429 for an hour" => app.Model.Fail(429, "rate_limit_exceeded", headers: ("Retry-After", "3600")),
        "hang" => app.Model.Hang(times: 3),
        "malformed JSON" => app.Model.Bytes(HalfAnEvent).Bytes(HalfAnEvent).Bytes(HalfAnEvent),
        "empty answer" => app.Model.Stream(["finish stop", "[DONE]"]),
        "cut before the first word" => app.Model.TruncateAfter("", times: 3),
        "refusal" => app.Model.Refuse(),
        "content filter before the first word" => app.Model.Stream(["finish content_filter", "[DONE]"]),
        "context too long, always" => app.Model.Fail(400, "context_length_exceeded", times: 3),
        _ => throw new ArgumentOutOfRangeException(nameof(fault), fault, "no such fault"),
    };
}
