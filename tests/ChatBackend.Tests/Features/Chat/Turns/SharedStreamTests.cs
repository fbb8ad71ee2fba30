using ChatBackend.Features.Chat.Turns;
using ChatBackend.Infrastructure.Http;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Chat.Turns;

/// <summary>Many readers of one turn: what is sent is made once.</summary>
public sealed class SharedStreamTests(ChatApp app) : IClassFixture<ChatApp>
{
    private const string Events = "text/event-stream";
    private const string Question = "How do two ROS 2 nodes talk to each other?";

    [Fact]
    public async Task Readers_at_the_same_place_share_each_step_and_what_was_written_of_it()
    {
        var gate = app.Model.AnswerInTwo("Over", "topics.");
        using var response = await app.AskAsync(new { message = Question }, accept: Events);
        using var stream = new EventStream(response);
        var turnId = (await stream.NextAsync())!.Data.GetProperty("turn_id").GetGuid();
        while ((await stream.NextAsync())!.Name != "delta")
        {
        }

        var turns = app.Services.GetRequiredService<TurnReader>();
        await using var first = turns.FollowAsync(turnId, null, TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        await using var second = turns.FollowAsync(turnId, null, TestContext.Current.CancellationToken).GetAsyncEnumerator(TestContext.Current.CancellationToken);
        var kinds = new List<string>();
        for (var i = 0; i < 3; i++)
            await NextOfBothAsync();
        gate.Open();
        await stream.AllAsync();
        while (first.Current is not TurnStep.Ended)
            await NextOfBothAsync();

        Assert.Equal(["Begun", "Sources", "Delta"], kinds.Take(3));

        async Task NextOfBothAsync()
        {
            Assert.True(await first.MoveNextAsync());
            Assert.True(await second.MoveNextAsync());
            Assert.Same(first.Current, second.Current);
            Assert.Same(first.Current.WrittenBy(_ => new List<int>()), second.Current.WrittenBy(_ => new List<int>()));
            kinds.Add(first.Current.GetType().Name);
        }
    }

    [Fact]
    public async Task A_hundred_readers_each_get_the_whole_answer()
    {
        var gate = app.Model.AnswerInTwo("Over", "topics.");
        using var response = await app.AskAsync(new { message = Question }, accept: Events);
        using var stream = new EventStream(response);
        var turnId = (await stream.NextAsync())!.Data.GetProperty("turn_id").GetGuid();

        var readers = Enumerable.Range(0, 100).Select(async _ =>
        {
            using var events = await app.Client.GetAsync($"/chat/turns/{turnId}/events", HttpCompletionOption.ResponseHeadersRead);
            using var reader = new EventStream(events);
            return EventStream.Text(await reader.AllAsync());
        }).ToArray();
        gate.Open();
        var answer = (await stream.AllAsync())[^1].Data.GetProperty("response").GetString();

        Assert.All(await Task.WhenAll(readers), text => Assert.Equal(answer, text));
    }

    [Fact]
    public void An_event_is_encoded_once()
    {
        var item = new ServerSentEvent("1.1.4", "delta", """{"text":"Größe"}""");

        Assert.Equal("id: 1.1.4\nevent: delta\ndata: {\"text\":\"Größe\"}\n\n"u8.ToArray(), item.Bytes.ToArray());
        Assert.Equal(item.Bytes, item.Bytes);
    }
}
