using System.Net.Sockets;
using System.Text;
using ChatBackend.Infrastructure.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChatBackend.Tests.Infrastructure.Http;

public sealed class ServerSentEventsTests
{
    [Fact]
    public async Task A_quiet_stream_gets_a_comment_every_15_seconds()
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

    [Fact]
    public async Task A_reader_who_does_not_read_is_disconnected_and_the_turn_continues()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        // 30 s in 300 ms.
        builder.Services.AddSingleton<TimeProvider>(new FastClock(100));
        await using var app = builder.Build();
        var left = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        app.MapGet("/", () => new ServerSentEvents(EventsAsync()));
        await app.StartAsync(TestContext.Current.CancellationToken);
        using var reader = new TcpClient { ReceiveBufferSize = 4 * 1024 };
        await reader.ConnectAsync("127.0.0.1", new Uri(app.Urls.First()).Port, TestContext.Current.CancellationToken);

        await reader.GetStream().WriteAsync("GET / HTTP/1.1\r\nHost: book\r\n\r\n"u8.ToArray(), TestContext.Current.CancellationToken);

        await left.Task.WaitAsync(TimeSpan.FromMinutes(2), TestContext.Current.CancellationToken);
        await app.StopAsync(TestContext.Current.CancellationToken);

        async IAsyncEnumerable<ServerSentEvent> EventsAsync()
        {
            try
            {
                while (true)
                {
                    await Task.Yield();
                    yield return new("1", "delta", new string('x', 10_000));
                }
            }
            finally
            {
                left.SetResult();
            }
        }
    }

    [Fact]
    public async Task A_long_event_comes_through_whole()
    {
        var text = string.Concat(Enumerable.Repeat("x🤖", 30_000));
        using var body = new MemoryStream();
        var context = new DefaultHttpContext { RequestServices = new ServiceCollection().AddSingleton(TimeProvider.System).BuildServiceProvider(), Response = { Body = body } };

        await new ServerSentEvents(new[] { new ServerSentEvent("1", "completed", text) }.ToAsyncEnumerable()).ExecuteAsync(context);

        Assert.Equal($"retry: 1000\n\nid: 1\nevent: completed\ndata: {text}\n\n", Encoding.UTF8.GetString(body.ToArray()));
    }

    /// <summary>A clock whose timers fire this many times sooner.</summary>
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
