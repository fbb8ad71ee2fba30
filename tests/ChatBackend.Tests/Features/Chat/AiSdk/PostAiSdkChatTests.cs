using System.Net;
using System.Net.Http.Json;
using System.Text.Json;
using ChatBackend.Tests.Features.Profile;

namespace ChatBackend.Tests.Features.Chat.AiSdk;

public sealed class PostAiSdkChatTests(ProfileApp app) : IClassFixture<ProfileApp>
{
    [Theory]
    [InlineData("1")]
    [InlineData("aaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("docs-assistant-chat")]
    [InlineData("00000000-0000-0000-0000-000000000000")]
    [InlineData("")]
    public async Task An_id_that_could_be_guessed_is_refused_without_a_token(string id)
    {
        var response = await SendAsync(id, "What is a topic?", token: null);

        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
        Assert.Equal("text/plain", response.Content.Headers.ContentType?.MediaType);
        Assert.Contains("id must", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken), StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_short_id_is_another_chat_for_each_reader_and_the_same_one_each_time()
    {
        var (first, second) = (ProfileApp.NewReader(), ProfileApp.NewReader());

        var session = await SessionAsync("1", ProfileApp.Token(first));

        Assert.Equal(session, await SessionAsync("1", ProfileApp.Token(first)));
        Assert.NotEqual(session, await SessionAsync("1", ProfileApp.Token(second)));
        Assert.Equal(first, await app.ScalarAsync<string>("select user_id from chat_sessions where id = @session", new { session }));
    }

    [Fact]
    public async Task A_chat_is_its_readers_alone()
    {
        var id = $"chat {Guid.NewGuid()}";
        await SessionAsync(id, ProfileApp.Token(ProfileApp.NewReader()));

        var response = await SendAsync(id, "What is a topic?", ProfileApp.Token(ProfileApp.NewReader()));

        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal("There is no such session.", await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task An_answer_that_is_written_is_resumed_by_its_reader_alone()
    {
        await using var own = new ChatApp { ["AUTH_SECRET"] = ProfileApp.Secret };
        await own.InitializeAsync();
        var (id, reader) = ($"{Guid.NewGuid()}", ProfileApp.NewReader());
        var gate = own.Model.AnswerInTwo("Over", " topics.");
        var asking = SendAsync(id, "How do two ROS 2 nodes talk to each other?", ProfileApp.Token(reader), own);
        await gate.WhenReached;

        var others = await ResumeAsync(ProfileApp.Token(ProfileApp.NewReader()));
        var nobodys = await ResumeAsync(token: null);
        var resumed = await ResumeAsync(ProfileApp.Token(reader));
        gate.Open();

        Assert.Equal([HttpStatusCode.NoContent, HttpStatusCode.NoContent], [others.StatusCode, nobodys.StatusCode]);
        Assert.Equal((await ChunksAsync(await asking))[0].GetRawText(), (await ChunksAsync(resumed))[0].GetRawText());

        Task<HttpResponseMessage> ResumeAsync(string? token)
        {
            var request = new HttpRequestMessage(HttpMethod.Get, $"/api/chat/{id}/stream");
            if (token is not null)
                request.Headers.Authorization = new("Bearer", token);
            return own.Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, TestContext.Current.CancellationToken);
        }
    }

    [Fact]
    public async Task A_conversation_of_the_chat_is_one_of_the_AI_SDK_and_the_other_way_round()
    {
        var session = Guid.NewGuid();
        await app.Client.PostAsJsonAsync("/chat", new { message = "What is a topic?", session_id = session }, TestContext.Current.CancellationToken);

        Assert.Equal(session, await SessionAsync($"{session}", token: null, "How do two nodes talk to each other?"));

        var messages = await (await app.Client.GetAsync($"/chat/sessions/{session}/messages")).JsonAsync();
        Assert.Equal(["user", "assistant", "user", "assistant"], messages.GetProperty("items").EnumerateArray().Select(m => m.GetProperty("role").GetString()));
    }

    [Fact]
    public async Task A_citation_without_the_sites_address_has_a_title_and_no_link()
    {
        await using var own = new ChatApp();
        await own.InitializeAsync();
        own.Model.Answer("Over topics [1].");

        var chunks = await ChunksAsync(await SendAsync($"{Guid.NewGuid()}", "How do two ROS 2 nodes talk to each other?", token: null, own));

        var source = Assert.Single(chunks, c => c.GetProperty("type").ValueEquals("source-document"));
        Assert.Equal(["type", "sourceId", "mediaType", "title"], source.EnumerateObject().Select(m => m.Name));
        Assert.DoesNotContain(chunks, c => c.GetProperty("type").ValueEquals("source-url"));
    }

    private async Task<Guid> SessionAsync(string id, string? token, string message = "What is a topic?") =>
        (await ChunksAsync(await SendAsync(id, message, token)))[0].GetProperty("messageMetadata").GetProperty("sessionId").GetGuid();

    private static async Task<JsonElement[]> ChunksAsync(HttpResponseMessage response)
    {
        var body = await response.Content.ReadAsStringAsync(TestContext.Current.CancellationToken);
        Assert.True(response.IsSuccessStatusCode, body);
        Assert.Equal("v1", response.Headers.GetValues("x-vercel-ai-ui-message-stream").Single());
        Assert.EndsWith("data: [DONE]\n\n", body, StringComparison.Ordinal);
        return [.. body.Split("\n\n", StringSplitOptions.RemoveEmptyEntries)[..^1].Select(line => JsonElement.Parse(line["data: ".Length..]))];
    }

    private async Task<HttpResponseMessage> SendAsync(string id, string message, string? token, ChatBackendApp? other = null)
    {
        var body = new { id, trigger = "submit-message", messages = new[] { new { id = $"{Guid.NewGuid()}", role = "user", parts = new[] { new { type = "text", text = message } } } } };
        var request = new HttpRequestMessage(HttpMethod.Post, "/api/chat") { Content = JsonContent.Create(body) };
        if (token is not null)
            request.Headers.Authorization = new("Bearer", token);
        return await (other ?? app).Client.SendAsync(request, TestContext.Current.CancellationToken);
    }
}
