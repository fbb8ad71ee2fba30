using System.Text.Json;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Tests.Infrastructure.Docusaurus;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Chat.AiSdk;

/// <summary>The transport that <c>useChat</c> has by default, from npm: the first release of each major version, whose schemas refuse what they do not
/// know, and a late one.</summary>
public sealed class AiSdkClientTests
{
    private static readonly string[] Versions = ["5.0.0", "5.0.277", "6.0.0", "6.0.326", "7.0.0", "7.0.173"];

    public static TheoryData<string> Packages => [.. Versions];

    [Theory]
    [MemberData(nameof(Packages))]
    public async Task A_chat_is_answered_resumed_and_asked_again(string version)
    {
        await using var app = new ChatApp { ["ModelLimits:RetryMin"] = "00:00:00.001", ["ModelLimits:RetryMax"] = "00:00:00.002" };
        await app.InitializeAsync();
        await app.Services.GetRequiredService<IPassageIndex>().ReplaceAsync(
            new("ros2/topics.md", "Topics", "https://book.example/docs/ros2/topics", "another hash", [new Chunk(0, ["How nodes talk"], "how-nodes-talk",
                "Two ROS 2 nodes talk to each other over topics: one publishes messages, the other subscribes.")]),
            TestContext.Current.CancellationToken);
        app.Model.Answer("Over topics [1].");
        var gate = app.Model.AnswerInTwo("A client", " calls a service [1].");
        app.Model.Fail(500, times: 3);

        const string chat = "q7BzT0mKxW4rYd2N";
        var lines = await NpmPackages.RunAsync(
            [.. Versions.Select(v => $"ai-{v}@npm:ai@{v}"), "zod@4"], Repository.Text("tests/ChatBackend.Tests/Features/Chat/AiSdk/ai-sdk.mjs"), [$"ai-{version}", $"{app.Address}", chat],
            line =>
            {
                if (line.Contains("\"waiting\"", StringComparison.Ordinal))
                    gate.Open();
                if (line.Contains("\"failed\"", StringComparison.Ordinal))
                    app.Model.Clear();
            });
        var steps = lines.Select(line => JsonDocument.Parse(line).RootElement).ToDictionary(s => s.GetProperty("step").GetString()!, s => s.GetProperty("value"));

        var answer = steps["answer"];
        var types = answer.GetProperty("types").EnumerateArray().Select(t => t.GetString()!).ToArray();
        Assert.Equal(["start", "start-step"], types[..2]);
        Assert.Equal(["text-end", "data-grounding", "finish-step", "finish"], types[^4..]);
        Assert.Equal("Over topics [1].", Text(answer));
        var source = Part(answer, "source-url");
        Assert.Equal("1", source.GetProperty("sourceId").GetString());
        Assert.Equal("https://book.example/docs/ros2/topics#how-nodes-talk", source.GetProperty("url").GetString());
        Assert.Equal("Topics › How nodes talk", source.GetProperty("title").GetString());
        Assert.Equal("grounded", Part(answer, "data-grounding").GetProperty("data").GetProperty("grounding").GetString());
        var turn = answer.GetProperty("message").GetProperty("id").GetGuid();
        var metadata = answer.GetProperty("message").GetProperty("metadata");
        Assert.Equal(turn, metadata.GetProperty("turnId").GetGuid());
        Assert.Equal(11, metadata.GetProperty("usage").GetProperty("inputTokens").GetInt32());
        Assert.Equal("Over topics [1].", await app.ScalarAsync<string>("select content from messages where id = @id", new { id = metadata.GetProperty("messageId").GetGuid() }));

        Assert.Equal(turn, steps["again"].GetProperty("message").GetProperty("id").GetGuid());
        Assert.Equal("messages must hold 1 to 4000 characters after trimming.", steps["refused"].GetString());
        Assert.Equal("A client calls a service [1].", Text(steps["resumed"]));
        Assert.Equal(JsonValueKind.Null, steps["nothing left"].ValueKind);
        Assert.Equal("The model's server answered 500.", steps["failed"].GetProperty("error").GetString());
        Assert.Equal("The stub's answer.", Text(steps["regenerated"]));
        Assert.Equal("The stub's answer.", Text(steps["replaced"]));

        Assert.Equal(Id(steps["edited"]), Id(steps["edited again"]));
        Assert.NotEqual(Id(steps["edited"]), Id(steps["edited and asked again"]));
        Assert.Equal("What do two ROS 2 nodes exchange?", await app.ScalarAsync<string>("select content from messages where turn_id = @id and role = 'user'", new { id = Id(steps["edited"]) }));

        // Seven turns in one session: three questions, of which two were asked again, and one edited and asked again.
        Assert.Equal(7, await app.ScalarAsync<int>("select count(*) from turns"));
        Assert.Equal(6, await app.ScalarAsync<int>("select count(*) from turns where superseded_by is not null"));
        Assert.Equal(1, await app.ScalarAsync<int>("select count(*) from chat_sessions"));
    }

    private static Guid Id(JsonElement step) => step.GetProperty("message").GetProperty("id").GetGuid();

    private static JsonElement Part(JsonElement step, string type) =>
        Assert.Single(step.GetProperty("message").GetProperty("parts").EnumerateArray(), p => p.GetProperty("type").ValueEquals(type));

    private static string Text(JsonElement step) => string.Concat(
        step.GetProperty("message").GetProperty("parts").EnumerateArray().Where(p => p.GetProperty("type").ValueEquals("text")).Select(p => p.GetProperty("text").GetString()));
}
