using System.Net.Http.Json;
using System.Text.Json;
using ChatBackend.Tests.Features.Chat;

namespace ChatBackend.Tests.Features.Insights;

/// <summary>Each test has an app of its own: what is counted is everything there is.</summary>
public sealed class GetInsightsTests
{
    [Fact]
    public async Task Authors_learn_what_was_asked_and_what_the_book_lacks()
    {
        await using var app = new ChatApp();
        await app.InitializeAsync();
        app.Model.Answer("Over topics [1].");
        var good = await app.AnswerAsync(new { message = "How do two ROS 2 nodes talk to each other over topics?" });
        foreach (var question in (string[])["How does a walking robot keep its balance on ice?", "Which wine goes with oysters?", "With an OYSTER, which wine goes?", "Which wine goes with oysters?"])
            await app.AnswerAsync(new { message = question });
        await app.AnswerAsync(new { message = "thanks!" });
        app.Model.Fail(400);
        Assert.False((await app.AskAsync(new { message = "What is a topic?" })).IsSuccessStatusCode);
        await app.Client.PutAsJsonAsync($"/chat/messages/{good.GetProperty("message_id")}/feedback", new { rating = "up", comment = "Clear." });

        var insights = await InsightsAsync(app, "");

        Assert.Equal("""{"total":7,"completed":6,"failed":1,"stopped":0,"running":0}""", insights.GetProperty("turns").GetRawText());
        Assert.Equal("""{"up":1,"down":0}""", insights.GetProperty("feedback").GetRawText());
        Assert.Equal("""{"grounded":0.2,"partial":0,"none":0.8}""", insights.GetProperty("grounding").GetRawText());
        Assert.Equal("""{"input_tokens":55,"output_tokens":35}""", insights.GetProperty("usage").GetRawText());
        var comment = Assert.Single(insights.GetProperty("comments").EnumerateArray());
        Assert.Equal(
            ("up", "Clear.", "How do two ROS 2 nodes talk to each other over topics?"),
            (comment.GetProperty("rating").GetString(), comment.GetProperty("comment").GetString(), comment.GetProperty("question").GetString()));
        var open = insights.GetProperty("unanswered").EnumerateArray().ToArray();
        Assert.Equal([("Which wine goes with oysters?", 3), ("How does a walking robot keep its balance on ice?", 1)], open.Select(q => (q.GetProperty("question").GetString(), q.GetProperty("count").GetInt32())));
        Assert.Equal(JsonValueKind.Null, open[0].GetProperty("nearest").ValueKind);
        Assert.Equal("/docs/motion/balance#the-zero-moment-point", open[1].GetProperty("nearest").GetProperty("url").GetString());
    }

    [Fact]
    public async Task Only_what_was_asked_since_then_counts()
    {
        await using var app = new ChatApp();
        await app.InitializeAsync();
        await app.AnswerAsync(new { message = "Which wine goes with oysters?" });
        await app.ExecuteAsync("update turns set created_at = '2026-01-31T23:59:59Z'");
        await app.AnswerAsync(new { message = "Which cheese goes with port?" });

        Assert.Equal(1, Total(await InsightsAsync(app, "")));
        Assert.Equal(1, Total(await InsightsAsync(app, "?since=2026-02-01")));
        Assert.Equal(2, Total(await InsightsAsync(app, "?since=2026-01-31T23:59:59Z")));
        Assert.Equal(2, Total(await InsightsAsync(app, "?since=2026-02-01T01:59:59%2B02:00")));
        Assert.Equal(0, Total(await InsightsAsync(app, "?since=9999-12-31")));
        var problem = await (await app.Client.GetAsync("/chat/insights?since=yesterday")).ProblemAsync(400, "invalid_request");
        Assert.True(problem.GetProperty("errors").TryGetProperty("since", out _));

        static int Total(JsonElement insights) => insights.GetProperty("turns").GetProperty("total").GetInt32();
    }

    [Fact]
    public async Task Twenty_open_questions_do_not_take_the_connection_pool()
    {
        await using var app = new ChatApp();
        await app.InitializeAsync();
        for (var i = 0; i < 20; i++)
            await app.AnswerAsync(new { message = $"Which wine goes with {(char)('a' + i)}{(char)('b' + i)}oysters?" });
        var before = await ConnectionsAsync();

        var insights = await InsightsAsync(app, "");

        Assert.Equal(20, insights.GetProperty("unanswered").GetArrayLength());
        // A beat may take one of its own meanwhile.
        Assert.InRange(await ConnectionsAsync(), 1, before + 8);

        Task<int> ConnectionsAsync() => app.ScalarAsync<int>("select count(*)::integer from pg_stat_activity where datname = current_database() and backend_type = 'client backend'");
    }

    [Fact]
    public async Task Before_the_first_question_all_is_zero()
    {
        await using var app = new ChatApp();
        await app.InitializeAsync();

        var insights = await InsightsAsync(app, "");

        Assert.Equal("""{"grounded":0,"partial":0,"none":0}""", insights.GetProperty("grounding").GetRawText());
        Assert.Empty(insights.GetProperty("unanswered").EnumerateArray());
    }

    [Fact]
    public async Task Outside_development_it_takes_the_ingest_key()
    {
        await using var app = new ChatApp { Environment = "Production", ["INGEST_API_KEY"] = "the-authors-key" };
        await app.InitializeAsync();

        await (await app.Client.GetAsync("/chat/insights")).ProblemAsync(401, "ingest_key_required");
        app.Client.DefaultRequestHeaders.Add("X-API-Key", "the-authors-key");
        await InsightsAsync(app, "");
    }

    private static async Task<JsonElement> InsightsAsync(ChatApp app, string query)
    {
        var response = await app.Client.GetAsync($"/chat/insights{query}");
        var json = await response.JsonAsync();
        Assert.True(response.IsSuccessStatusCode, json.ToString());
        return json;
    }
}
