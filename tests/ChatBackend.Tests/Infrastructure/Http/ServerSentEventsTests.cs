using System.Text;
using ChatBackend.Infrastructure.Http;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Infrastructure.Http;

public sealed class ServerSentEventsTests
{
    [Fact]
    public async Task A_quiet_stream_says_every_15_seconds_that_it_lives()
    {
        var next = new TaskCompletionSource();
        using var body = new MemoryStream();
        var clock = new FastClock(1_000);
        var context = new DefaultHttpContext
        {
            RequestServices = new ServiceCollection().AddSingleton<TimeProvider>(clock).BuildServiceProvider(),
            Response = { Body = body },
        };

        var running = new ServerSentEvents(EventsAsync()).ExecuteAsync(context);
        await Until.TrueAsync(() => clock.Timers.Count >= 3, "No timer was set again.");
        next.SetResult();
        await running;

        Assert.All(clock.Timers, due => Assert.Equal(TimeSpan.FromSeconds(15), due));
        Assert.Equal("text/event-stream", context.Response.ContentType);
        Assert.Equal("no", context.Response.Headers["X-Accel-Buffering"]);
        var text = Encoding.UTF8.GetString(body.ToArray());
        Assert.StartsWith("retry: 1000\n\nid: 1\nevent: turn\ndata: {}\n\n: keep-alive\n\n: keep-alive\n\n", text, StringComparison.Ordinal);
        Assert.EndsWith("id: 2\nevent: completed\ndata: {}\n\n", text, StringComparison.Ordinal);

        async IAsyncEnumerable<ServerSentEvent> EventsAsync()
        {
            yield return new("1", "turn", "{}");
            await next.Task;
            yield return new("2", "completed", "{}");
        }
    }

    /// <summary>A clock whose timers ring so many times sooner than they were set for.</summary>
    private sealed class FastClock(int factor) : TimeProvider
    {
        public System.Collections.Concurrent.ConcurrentQueue<TimeSpan> Timers { get; } = [];

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            Timers.Enqueue(dueTime);
            return base.CreateTimer(callback, state, dueTime / factor, period);
        }
    }
}
