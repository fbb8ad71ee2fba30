using System.Net;
using System.Text.Json;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Tests.Features.Chat;
using ChatBackend.Tests.Infrastructure.Database;
using Dapper;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Profile;

public sealed class DeleteProfileTests
{
    private const string Question = "How do two ROS 2 nodes talk, apricot?";

    private readonly string _reader = ProfileApp.NewReader();
    private readonly string _other = ProfileApp.NewReader();

    [Fact]
    public async Task Nothing_of_the_reader_is_left_in_any_table_and_others_keep_all()
    {
        await using var app = new ProfileApp();
        await app.InitializeAsync();
        var texts = await WriteAsync(app, _reader, "apricot");
        var others = await WriteAsync(app, _other, "blueberry");
        // Every text must be findable, or the search would prove nothing.
        Assert.Equal(texts.Order(), (await app.FindTextsAsync(texts)).Select(f => f.Split(": ", 2)[1]).Distinct().Order());
        var otherPlaces = await app.FindTextsAsync(others);

        Assert.Equal(HttpStatusCode.NoContent, (await app.SendAsync(_reader, HttpMethod.Delete, "/profile")).StatusCode);
        Assert.Empty(await app.FindTextsAsync(texts));
        Assert.Equal(HttpStatusCode.NoContent, (await app.SendAsync(_reader, HttpMethod.Delete, "/profile")).StatusCode);

        Assert.Empty(await app.FindTextsAsync(texts));
        Assert.Equal(otherPlaces, await app.FindTextsAsync(others));
        await (await app.SendAsync(_reader, HttpMethod.Get, "/profile")).ProblemAsync(404, "profile_not_found");
    }

    [Fact]
    public async Task What_insights_count_stays()
    {
        await using var app = new ProfileApp();
        await app.InitializeAsync();
        await WriteAsync(app, _reader, "apricot");
        await app.AskAsync(_reader, new { message = "thanks!" });
        await app.ExecuteAsync("update turns set input_tokens = 11, output_tokens = 7");
        await WriteAsync(app, _other, "blueberry");
        var before = await InsightsAsync();
        Assert.Equal("""{"up":2,"down":0}""", before.GetProperty("feedback").GetRawText());
        var session = (await app.AskAsync(_other, new { message = "Which wine goes with oysters?" })).GetProperty("session_id").GetString();
        var more = await InsightsAsync();

        await app.SendAsync(_reader, HttpMethod.Delete, "/profile");
        await app.SendAsync(_reader, HttpMethod.Delete, "/profile");
        // A conversation that is deleted alone is counted in the same way.
        Assert.Equal(HttpStatusCode.NoContent, (await app.SendAsync(_other, HttpMethod.Delete, $"/chat/sessions/{session}")).StatusCode);

        var after = await InsightsAsync();
        foreach (var counts in (string[])["turns", "grounding", "feedback", "usage"])
            Assert.Equal(more.GetProperty(counts).GetRawText(), after.GetProperty(counts).GetRawText());
        Assert.NotEqual(before.GetProperty("turns").GetRawText(), after.GetProperty("turns").GetRawText());
        Assert.Equal("blueberry comment", Assert.Single(after.GetProperty("comments").EnumerateArray()).GetProperty("comment").GetString());
        Assert.DoesNotContain("apricot", after.GetRawText(), StringComparison.Ordinal);

        async Task<JsonElement> InsightsAsync() => await (await app.Client.GetAsync("/chat/insights")).JsonAsync();
    }

    [Fact]
    public async Task An_answer_that_is_being_written_writes_nothing_back_and_nor_does_one_that_waits_behind_it()
    {
        await using var app = new ChatApp { ["AUTH_SECRET"] = ProfileApp.Secret, ["Turns:Beat"] = "00:00:00.1" };
        await app.InitializeAsync();
        var session = Guid.NewGuid();
        var gate = app.Model.AnswerInTwo("An elderberry", "and a quince.");
        var first = SendAsync(HttpMethod.Post, "/chat", new { message = Question, session_id = session });
        await gate.WhenReached;
        var second = SendAsync(HttpMethod.Post, "/chat", new { message = "And why is that, mulberry?", session_id = session });
        string[] texts = [_reader, "apricot", "mulberry", "elderberry", "quince", $"{session}"];
        await Until.TrueAsync(
            async () => (await app.FindTextsAsync(texts)).Any(f => f == "turns.partial_text: elderberry") && (await app.FindTextsAsync("mulberry")).Count > 0,
            "The turns are not stored.");
        var runner = app.Services.GetRequiredService<TurnRunner>();

        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync(HttpMethod.Delete, "/profile", null)).StatusCode);
        gate.Open();

        await (await first).ProblemAsync(404, "session_not_found");
        await (await second).ProblemAsync(404, "session_not_found");
        await Until.TrueAsync(() => runner.Attempts.Count == 0, "The attempts do not end.");
        Assert.Empty(await app.FindTextsAsync(texts));

        Task<HttpResponseMessage> SendAsync(HttpMethod method, string path, object? body) =>
            app.Client.SendAsync(ProfileApp.Request(_reader, method, path, body is null ? null : JsonSerializer.Serialize(body)));
    }

    [Fact]
    public async Task A_reply_that_was_lost_is_a_204_and_counts_nothing_twice()
    {
        await using var app = new ProfileApp();
        await app.InitializeAsync();
        await using var relay = new DatabaseRelay(app.Database);
        app["DATABASE_URL"] = relay.ConnectionString;
        var texts = await WriteAsync(app, _reader, "apricot");
        relay.LoseAnswerTo("COMMIT");

        var response = await app.SendAsync(_reader, HttpMethod.Delete, "/profile", ifMatch: "*");

        Assert.Equal(HttpStatusCode.NoContent, response.StatusCode);
        Assert.Equal(1, relay.Lost);
        Assert.Empty(await app.FindTextsAsync(texts));
        Assert.Equal(1, await app.ScalarAsync<int>("select sum(completed) from deleted_turns"));
    }

    [Fact]
    public async Task An_older_version_is_a_412_and_erases_nothing()
    {
        await using var app = new ProfileApp();
        await app.InitializeAsync();
        var texts = await WriteAsync(app, _reader, "apricot");
        var places = await app.FindTextsAsync(texts);
        var tag = (await app.SendAsync(_reader, HttpMethod.Get, "/profile")).Headers.ETag!.Tag;

        await (await app.SendAsync(_reader, HttpMethod.Delete, "/profile", ifMatch: "\"1\"")).ProblemAsync(412, "precondition_failed");
        await (await app.SendAsync(null, HttpMethod.Delete, "/profile")).ProblemAsync(401, "token_required");
        Assert.Equal(places, await app.FindTextsAsync(texts));

        foreach (var _ in (int[])[1, 2])
            Assert.Equal(HttpStatusCode.NoContent, (await app.SendAsync(_reader, HttpMethod.Delete, "/profile", ifMatch: tag)).StatusCode);
    }

    [Theory]
    [InlineData("PUT", 412, "precondition_failed")]
    [InlineData("PATCH", 404, "profile_not_found")]
    public async Task A_change_that_waits_for_the_delete_does_not_bring_the_profile_back(string method, int status, string code)
    {
        await using var app = new ProfileApp();
        await app.InitializeAsync();
        await WriteAsync(app, _reader, "apricot");
        await using var connection = await app.OpenDatabaseAsync();
        await using var deletion = await connection.BeginTransactionAsync();
        await connection.ExecuteAsync("delete from profiles where user_id = @_reader", new { _reader }, deletion);

        var change = app.SendAsync(_reader, new(method), "/profile", """{"display_name":"Back again"}""", ifMatch: "*");
        await Until.TrueAsync(async () => await app.ScalarAsync<bool>("select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"), "The change does not wait.");
        await deletion.CommitAsync();

        await (await change).ProblemAsync(status, code);
        Assert.Equal(0, await app.ScalarAsync<int>("select count(*) from profiles"));
    }

    [Theory]
    [InlineData("/profile")]
    [InlineData("/chat/sessions/{id}")]
    public async Task A_delete_waits_for_whoever_has_locked_the_session_holds_no_turn_meanwhile_and_counts_what_was_added(string path)
    {
        await using var app = new ProfileApp();
        await app.InitializeAsync();
        await WriteAsync(app, _reader, "apricot");
        var id = await app.ScalarAsync<Guid>("select id from chat_sessions");
        await using var connection = await app.OpenDatabaseAsync();
        // As a request that opens or regenerates a turn.
        await using var opening = await connection.BeginTransactionAsync();
        await connection.ExecuteAsync("select from chat_sessions for no key update", transaction: opening);

        var deletion = app.SendAsync(_reader, HttpMethod.Delete, path.Replace("{id}", $"{id}"));
        await Until.TrueAsync(async () => await app.ScalarAsync<bool>("select exists (select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock')"), "The deletion does not wait.");
        // If the deletion held it, the two would wait for each other.
        await connection.ExecuteAsync("select from turns for no key update nowait", transaction: opening);
        await connection.ExecuteAsync(
            "insert into turns (id, session_id, number, request, state, ended_at) values (gen_random_uuid(), @id, 2, '{}', 'completed', now())", new { id }, opening);
        await opening.CommitAsync();

        Assert.Equal(HttpStatusCode.NoContent, (await deletion).StatusCode);
        Assert.Equal("0 2", await app.ScalarAsync<string>("select concat_ws(' ', (select count(*) from turns), (select sum(completed) from deleted_turns))"));
    }

    /// <summary>A profile, a conversation with a key and feedback on its answer. Returns all the texts, and the ids.</summary>
    private static async Task<string[]> WriteAsync(ProfileApp app, string reader, string word)
    {
        Assert.True((await app.SendAsync(reader, HttpMethod.Put, "/profile", JsonSerializer.Serialize(new
        {
            display_name = $"{word} name",
            preferred_language = "ur",
            interests = new[] { $"{word} interest" },
            learning_goals = $"{word} goal",
        }))).IsSuccessStatusCode);
        var request = ProfileApp.Request(reader, HttpMethod.Post, "/chat", JsonSerializer.Serialize(new
        {
            message = $"{word} question?",
            selected_text = $"{word} selection",
            page_url = $"/docs/{word}-page",
        }));
        var key = Guid.NewGuid().ToString();
        request.Headers.Add("Idempotency-Key", key);
        var answer = await (await app.Client.SendAsync(request)).JsonAsync();
        string Id(string name) => answer.GetProperty(name).GetString()!;
        Assert.True((await app.SendAsync(
            reader, HttpMethod.Put, $"/chat/messages/{Id("message_id")}/feedback", $$"""{"rating":"up","comment":"{{word}} comment"}""")).IsSuccessStatusCode);
        return
        [
            reader, $"{word} name", $"{word} interest", $"{word} goal", $"{word} question", $"{word} selection", $"{word}-page", $"{word} comment", key,
            Id("session_id"), Id("turn_id"), Id("message_id"),
        ];
    }
}
