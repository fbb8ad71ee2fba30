using System.Net;
using System.Net.Http.Json;
using System.Text.Json;

namespace ChatBackend.Tests.Features.Chat.AiSdk;

/// <summary>Messages that are edited, sent twice and asked again, as <c>useChat</c> does it: <c>messageId</c> names the message.</summary>
public sealed class EditedMessageTests(ChatApp app) : IClassFixture<ChatApp>
{
    private const string First = "What do nodes publish?";
    private const string Second = "What do nodes subscribe to?";

    private readonly Guid _chat = Guid.NewGuid();

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_message_may_be_edited_there_and_back_again(bool names)
    {
        app.Model.Answer("One.").Answer("Two.").Answer("Three.").Answer("Four.");
        await SendAsync("m1", First);
        var second = await SendAsync("m1", Second, names ? "m1" : null);
        Assert.Equal("Two.", second.Text);
        Assert.Equal("Three.", (await SendAsync("m1", First, "m1")).Text);
        var fourth = await SendAsync("m1", Second, names ? "m1" : null);

        Assert.Equal("Four.", fourth.Text);
        Assert.NotEqual(second.Turn, fourth.Turn);
        // Sent twice, it is asked once.
        Assert.Equal(fourth.Turn, (await SendAsync("m1", Second, "m1")).Turn);
        Assert.Equal([Second, "Four."], await MessagesAsync());
    }

    [Theory]
    [InlineData("m1")]
    // As an id of ours, but of the client's own making.
    [InlineData("0d7c5a52-8f0f-4a7e-9b7b-3c4c9a3f2e11")]
    public async Task A_stale_tab_that_sends_its_message_again_gets_its_answer_and_changes_nothing(string id)
    {
        app.Model.Answer("One.").Answer("Two.");
        var first = await SendAsync(id, First);
        await SendAsync(id, Second, id);

        Assert.Equal(first, await SendAsync(id, First));

        Assert.Equal([Second, "Two."], await MessagesAsync());
    }

    [Fact]
    public async Task A_stale_tab_that_asks_again_gets_an_answer_to_the_question_that_it_shows()
    {
        app.Model.Answer("One.").Answer("Two.").Answer("Three.");
        var first = await SendAsync("m1", First);
        await SendAsync("m1", Second, "m1");

        Assert.Equal("Three.", (await SendAsync("m1", First, $"{first.Turn}", "regenerate-message")).Text);

        Assert.Equal([First, "Three."], await MessagesAsync());
    }

    [Theory]
    [InlineData("message_id", true)]
    [InlineData("message_id", false)]
    [InlineData("turn_id", true)]
    public async Task A_message_that_the_page_loaded_is_replaced_when_it_is_edited(string id, bool names)
    {
        app.Model.Answer("One.").Answer("Two.").Answer("Three.").Answer("Four.");
        await SendAsync("m1", First);
        await SendAsync("m2", "What does a ROS 2 service answer?");
        var loaded = await ListAsync();
        var key = loaded[0].GetProperty(id).GetString()!;

        Assert.Equal("Three.", (await SendAsync(key, Second, names ? key : null)).Text);
        Assert.Equal([Second, "Three."], await MessagesAsync());
        // The page still has the old id.
        Assert.Equal("Four.", (await SendAsync(key, First, names ? key : null)).Text);
        Assert.Equal([First, "Four."], await MessagesAsync());
    }

    [Theory]
    [InlineData("message_id")]
    [InlineData("turn_id")]
    public async Task An_answer_that_the_page_loaded_is_replaced_when_it_is_asked_for_again(string id)
    {
        app.Model.Answer("One.").Answer("Two.").Answer("Three.");
        await SendAsync("m1", First);
        var loaded = await ListAsync();

        await SendAsync(loaded[0].GetProperty(id).GetString()!, First, loaded[1].GetProperty(id).GetString(), "regenerate-message");
        Assert.Equal([First, "Two."], await MessagesAsync());
        // useChat names no message when it asks for the last one again.
        await SendAsync(loaded[0].GetProperty(id).GetString()!, First, messageId: null, "regenerate-message");
        Assert.Equal([First, "Three."], await MessagesAsync());
    }

    [Fact]
    public async Task A_loaded_message_that_is_sent_again_unchanged_is_not_asked_again()
    {
        app.Model.Answer("One.");
        var first = await SendAsync("m1", First);
        var key = (await ListAsync())[0].GetProperty("message_id").GetString()!;

        Assert.Equal(first, await SendAsync(key, First, key));
        Assert.Equal([First, "One."], await MessagesAsync());
    }

    [Fact]
    public async Task A_failed_message_that_is_sent_again_is_answered()
    {
        app.Model.Fail(400, code: "invalid_request_error").Answer("One.");
        var response = await PostAsync("m1", First);
        Assert.Contains("\"error\"", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);

        Assert.Equal("One.", (await SendAsync("m1", First, "m1")).Text);
        Assert.Equal([First, "One."], await MessagesAsync());
    }

    [Fact]
    public async Task Another_readers_message_is_not_found_by_its_id()
    {
        app.Model.Answer("One.").Answer("Two.");
        await SendAsync("m1", First);
        var key = (await ListAsync())[0].GetProperty("message_id").GetString()!;
        var body = new { id = $"{Guid.NewGuid()}", trigger = "regenerate-message", message = new { id = key, role = "user", parts = new[] { new { type = "text", text = First } } } };

        var other = await app.Client.PostAsJsonAsync("/api/chat", body, TestContext.Current.CancellationToken);

        Assert.Contains("Two.", await other.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Equal([First, "One."], await MessagesAsync());
    }

    [Theory]
    [InlineData(218)]
    [InlineData(255)]
    [InlineData(300)]
    public Task A_long_id_of_a_message_is_a_key_too(int length) => IsKeyAsync(new string('k', length));

    [Theory]
    [InlineData("\"m1\"")]
    [InlineData("m\"1")]
    [InlineData("Nachricht 1 ü")]
    public Task Any_text_is_a_key(string id) => IsKeyAsync(id);

    [Fact]
    public async Task A_quoted_id_is_another_one_than_without_quotes()
    {
        app.Model.Answer("One.").Answer("Two.");
        await SendAsync("m1", First);
        await SendAsync("\"m1\"", Second);

        Assert.Equal([First, "One.", Second, "Two."], await MessagesAsync());
    }

    [Fact]
    public async Task An_edit_counts_once_against_the_limit()
    {
        await using var own = new ChatApp { ["RATE_LIMIT_CHAT"] = "3" };
        await own.InitializeAsync();
        await PostAsync("m1", First, other: own);

        var edited = await PostAsync("m1", Second, other: own);
        Assert.Equal(HttpStatusCode.OK, edited.StatusCode);
        Assert.Contains("r=1;", edited.Headers.GetValues("RateLimit").Single(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await PostAsync("m1", First, "m1", other: own)).StatusCode);
        Assert.Equal(HttpStatusCode.TooManyRequests, (await PostAsync("m1", "And now?", other: own)).StatusCode);
        // What is answered already is no call to the model.
        Assert.Equal(HttpStatusCode.OK, (await PostAsync("m1", First, "m1", other: own)).StatusCode);
    }

    private async Task IsKeyAsync(string id)
    {
        app.Model.Answer("One.").Answer("Two.");
        var first = await SendAsync(id, First);
        Assert.Equal(first, await SendAsync(id, First));

        var edited = await SendAsync(id, Second, id);

        Assert.Equal("Two.", edited.Text);
        Assert.Equal(edited, await SendAsync(id, Second, id));
        Assert.Equal([Second, "Two."], await MessagesAsync());
    }

    private async Task<(Guid Turn, string Text)> SendAsync(string id, string text, string? messageId = null, string trigger = "submit-message")
    {
        var response = await PostAsync(id, text, messageId, trigger);
        var body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, body);
        var chunks = body.Split("\n\n").Where(l => l.StartsWith("data: {", StringComparison.Ordinal)).Select(l => JsonElement.Parse(l["data: ".Length..])).ToArray();
        return (chunks[0].GetProperty("messageId").GetGuid(),
            string.Concat(chunks.Where(c => c.GetProperty("type").ValueEquals("text-delta")).Select(c => c.GetProperty("delta").GetString())));
    }

    private Task<HttpResponseMessage> PostAsync(string id, string text, string? messageId = null, string trigger = "submit-message", ChatApp? other = null) =>
        (other ?? app).Client.PostAsJsonAsync(
            "/api/chat", new { id = _chat, trigger, messageId, messages = new[] { new { id, role = "user", parts = new[] { new { type = "text", text } } } } },
            TestContext.Current.CancellationToken);

    private async Task<JsonElement[]> ListAsync() =>
        [.. (await (await app.Client.GetAsync($"/chat/sessions/{_chat}/messages", TestContext.Current.CancellationToken)).JsonAsync()).GetProperty("items").EnumerateArray()];

    private async Task<string[]> MessagesAsync() => [.. (await ListAsync()).Select(m => m.GetProperty("content").GetString()!)];
}
