using System.Text.Json;
using ChatBackend.Tests.Infrastructure.Docusaurus;

namespace ChatBackend.Tests.Features.Chat.AiSdk;

/// <summary>React's <c>useChat</c> from npm, with the example of docs/clients.md as it stands.</summary>
public sealed class UseChatTests(ChatApp app) : IClassFixture<ChatApp>
{
    [Fact]
    public async Task The_documents_example_and_the_hook_ask_resume_regenerate_and_edit()
    {
        app.Model.Answer("Over topics [1].");
        var gate = app.Model.AnswerInTwo("One", " response.");
        app.Model.Answer("One, always.").Answer("Messages.");
        var chat = Guid.NewGuid();
        var example = Repository.Text("docs/clients.md").Split("```tsx\n")[1].Split("```")[0];

        var lines = await NpmPackages.RunAsync(
            ["@ai-sdk/react@4.0.177", "ai@7.0.173", "react@19.2.1", "react-dom@19.2.1", "jsdom@26.1.0", "zod@4"],
            Repository.Text("tests/ChatBackend.Tests/Features/Chat/AiSdk/use-chat.mjs"), [$"{app.Address}".TrimEnd('/'), $"{chat}", example],
            line =>
            {
                if (line.Contains("\"resumed\"", StringComparison.Ordinal))
                    gate.Open();
            });
        var steps = lines.Select(line => JsonElement.Parse(line)).ToDictionary(s => s.GetProperty("step").GetString()!, s => s.GetProperty("value"));

        Assert.Equal(["What does this mean?", "Over topics [1]."], Texts("answered"));
        Assert.Equal(
            "Two ROS 2 nodes talk to each other over topics /docs/ros2/topics",
            await app.ScalarAsync<string>("select concat_ws(' ', request ->> 'selected_text', request ->> 'page_url') from turns where session_id = @chat and number = 1", new { chat }));
        Assert.Equal([.. Texts("answered"), "What does a ROS 2 service answer?", "One response."], Texts("whole"));
        Assert.Equal([.. Texts("answered"), "What does a ROS 2 service answer?", "One, always."], Texts("regenerated"));
        Assert.Equal(["What do two ROS 2 nodes exchange?", "Messages."], Texts("edited"));
        var stored = (await (await app.Client.GetAsync($"/chat/sessions/{chat}/messages", TestContext.Current.CancellationToken)).JsonAsync()).GetProperty("items");
        Assert.Equal(Texts("edited"), stored.EnumerateArray().Select(m => m.GetProperty("content").GetString()));

        string[] Texts(string step) => [.. steps[step].EnumerateArray().Select(m => m.GetProperty("text").GetString()!)];
    }
}
