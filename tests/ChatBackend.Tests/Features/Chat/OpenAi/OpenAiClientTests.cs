using System.ClientModel;
using System.Text;
using System.Text.Json;
using ChatBackend.Tests.Infrastructure.Docusaurus;
using OpenAI;
using OpenAI.Chat;

namespace ChatBackend.Tests.Features.Chat.OpenAi;

/// <summary>The official clients of OpenAI's API: npm's and .NET's.</summary>
public sealed class OpenAiClientTests(ChatApp app) : IClassFixture<ChatApp>
{
    private const string Answer = "Over topics [1].";
    private const string WithFootnotes = Answer + "\n\n---\n\n1. Topics › How nodes talk";

    [Fact]
    public async Task The_client_of_npm_gets_answers_streams_and_errors()
    {
        await using var own = new ChatApp { ["ModelLimits:RetryMin"] = "00:00:00.001", ["ModelLimits:RetryMax"] = "00:00:00.002", ["ModelLimits:BreakerMinimum"] = "1000" };
        await own.InitializeAsync();
        own.Model.Default = _ => Answer;

        var lines = await NpmPackages.RunAsync(["openai@6.49.0"], Repository.Text("tests/ChatBackend.Tests/Features/Chat/OpenAi/openai.mjs"), [$"{own.Address}"], line =>
        {
            if (line.Contains("\"refused\"", StringComparison.Ordinal))
                own.Model.Fail(500, times: 6);
        });
        var steps = lines.Select(line => JsonDocument.Parse(line).RootElement).ToDictionary(s => s.GetProperty("step").GetString()!, s => s.GetProperty("value"));

        Assert.Equal(["book"], steps["models"].EnumerateArray().Select(m => m.GetString()));
        var answer = steps["answer"];
        Assert.Equal(WithFootnotes, answer.GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal("stop", answer.GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal("""{"prompt_tokens":11,"completion_tokens":7,"total_tokens":18}""", answer.GetProperty("usage").GetRawText());
        Assert.Equal("/docs/ros2/topics#how-nodes-talk", answer.GetProperty("citations")[0].GetProperty("url").GetString());
        Assert.Equal("grounded", answer.GetProperty("grounding").GetString());

        var chunks = steps["stream"].EnumerateArray().ToArray();
        Assert.Single(chunks.Select(c => c.GetProperty("id").GetString()).Distinct());
        Assert.Equal(WithFootnotes, string.Concat(chunks.SelectMany(c => c.GetProperty("choices").EnumerateArray())
            .Select(c => c.GetProperty("delta").TryGetProperty("content", out var text) ? text.GetString() : "")));
        Assert.Equal("stop", chunks[^2].GetProperty("choices")[0].GetProperty("finish_reason").GetString());
        Assert.Equal("grounded", chunks[^2].GetProperty("grounding").GetString());
        Assert.Equal(18, chunks[^1].GetProperty("usage").GetProperty("total_tokens").GetInt32());
        Assert.Equal(WithFootnotes, steps["collected"].GetProperty("choices")[0].GetProperty("message").GetProperty("content").GetString());
        Assert.Equal(WithFootnotes, steps["parts"].GetString());

        var refused = steps["refused"];
        Assert.Equal(("BadRequestError", "invalid_request", "messages"), (Text(refused, "type"), Text(refused, "code"), Text(refused, "param")));
        Assert.Contains("messages must hold 1 to 4000 characters", Text(refused, "message"));
        Assert.Equal(("InternalServerError", "model_failed"), (Text(steps["failed"], "type"), Text(steps["failed"], "code")));
        Assert.Equal("model_failed", Text(steps["failed in the stream"], "code"));
        // Each call is a conversation of its own.
        Assert.Equal(6, await own.ScalarAsync<int>("select count(*) from chat_sessions"));

        static string? Text(JsonElement step, string name) => step.GetProperty(name).GetString();
    }

    [Fact]
    public async Task The_client_of_NET_gets_answers_and_streams()
    {
        var client = new ChatClient("book", new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new($"{app.Address}v1") });
        app.Model.Answer(Answer).Answer(Answer, finish: "length");

        var whole = (await client.CompleteChatAsync([new UserChatMessage("How do two ROS 2 nodes talk?")], cancellationToken: TestContext.Current.CancellationToken)).Value;

        Assert.Equal(WithFootnotes, whole.Content[0].Text);
        Assert.Equal(ChatFinishReason.Stop, whole.FinishReason);
        Assert.Equal(18, whole.Usage.TotalTokenCount);

        var text = new StringBuilder();
        ChatFinishReason? finish = null;
        ChatTokenUsage? usage = null;
        await foreach (var update in client.CompleteChatStreamingAsync([new UserChatMessage("How do two ROS 2 nodes talk?")], cancellationToken: TestContext.Current.CancellationToken))
        {
            text.AppendJoin("", update.ContentUpdate.Select(part => part.Text));
            (finish, usage) = (update.FinishReason ?? finish, update.Usage ?? usage);
        }

        Assert.Equal(WithFootnotes, text.ToString());
        Assert.Equal(ChatFinishReason.Length, finish);
        // The client asks for the usage by itself.
        Assert.Equal(18, usage?.TotalTokenCount);
    }

    [Fact]
    public async Task The_client_of_NET_gets_an_error()
    {
        var client = new ChatClient("book", new ApiKeyCredential("none"), new OpenAIClientOptions { Endpoint = new($"{app.Address}v1") });

        var refusal = await Assert.ThrowsAsync<ClientResultException>(
            () => client.CompleteChatAsync([new SystemChatMessage("Obey.")], cancellationToken: TestContext.Current.CancellationToken));

        Assert.Equal(400, refusal.Status);
        Assert.Contains("messages must hold 1 to 4000 characters", refusal.Message);
    }
}
