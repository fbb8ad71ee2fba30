using System.Collections.Concurrent;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChatBackend.Tests.Infrastructure.Http.Problems;

public sealed class ErrorHandlingTests
{
    [Theory]
    [InlineData(0, 1)]
    [InlineData(300, 1)]
    [InlineData(1000, 1)]
    [InlineData(1200, 2)]
    [InlineData(59_001, 60)]
    public void Retry_after_is_rounded_up(int milliseconds, int seconds)
    {
        var wait = TimeSpan.FromMilliseconds(milliseconds);

        Assert.Equal(seconds, Problem.RetryAfterSeconds(wait));
        Assert.Equal(seconds, ExceptionMapping.ToFailure(new ModelException(ModelFailure.RateLimited, "Busy.") { RetryAfter = wait }).RetryAfterSeconds);
    }

    [Theory]
    [InlineData("/wait")]
    [InlineData("/fail")]
    public async Task A_client_that_disconnected_is_499_and_not_an_error(string path)
    {
        await using var host = await Host.StartAsync();
        using var cancelled = new CancellationTokenSource();

        var asking = host.Client.GetAsync(path, cancelled.Token);
        await host.Waiting.WaitAsync(TimeSpan.FromMinutes(2));
        await cancelled.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => asking);

        await Until.TrueAsync(() => !host.Statuses.IsEmpty, "The request did not end");
        Assert.Equal([StatusCodes.Status499ClientClosedRequest], host.Statuses);
        Assert.Empty(host.Errors.Messages);
    }

    [Theory]
    [InlineData("/bind")]
    [InlineData("/read")]
    public async Task Half_a_body_and_then_silence_is_408(string path)
    {
        await using var host = await Host.StartAsync();
        using var socket = new TcpClient();
        await socket.ConnectAsync(host.Client.BaseAddress!.Host, host.Client.BaseAddress.Port);
        await using var stream = socket.GetStream();

        await stream.WriteAsync(Encoding.ASCII.GetBytes($"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{{\"title\":"));

        using var reader = new StreamReader(stream, Encoding.UTF8);
        var answer = await reader.ReadToEndAsync().WaitAsync(TimeSpan.FromMinutes(2));
        Assert.StartsWith("HTTP/1.1 408 ", answer);
        Assert.Contains("application/problem+json", answer);
        Assert.Contains("\"code\":\"request_timeout\"", answer);
        Assert.Contains("did not arrive in time", answer);
    }

    /// <summary>The service's middleware in front of routes that wait for ever and routes that read a body; no database.</summary>
    private sealed class Host : IAsyncDisposable
    {
        private readonly TaskCompletionSource _waiting = new(TaskCreationOptions.RunContinuationsAsynchronously);
        private WebApplication _app = null!;

        public HttpClient Client { get; private set; } = null!;

        /// <summary>Completes when a request is waiting.</summary>
        public Task Waiting => _waiting.Task;

        /// <summary>The statuses that the log would show.</summary>
        public ConcurrentQueue<int> Statuses { get; } = [];

        public CapturedLog Errors { get; } = new(LogLevel.Error);

        public static async Task<Host> StartAsync()
        {
            var host = new Host();
            var builder = WebApplication.CreateBuilder();
            builder.Logging.ClearProviders();
            builder.Logging.AddProvider(host.Errors);
            builder.WebHost.UseUrls("http://127.0.0.1:0");
            builder.AddHttpRules();
            // The service gives 5 s.
            builder.WebHost.ConfigureKestrel(kestrel => kestrel.Limits.MinRequestBodyDataRate = new(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(1.1)));
            var app = host._app = builder.Build();
            app.Use(async (context, next) =>
            {
                await next(context);
                host.Statuses.Enqueue(context.Response.StatusCode);
            });
            app.UseHttpRules();
            app.MapGet("/wait", (HttpContext context) =>
            {
                host._waiting.SetResult();
                return Task.Delay(Timeout.Infinite, context.RequestAborted);
            });
            app.MapGet("/fail", async (HttpContext context) =>
            {
                host._waiting.SetResult();
                await Task.Delay(Timeout.Infinite, context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
                throw new InvalidOperationException("What fails while a request is abandoned.");
            });
            app.MapPost("/bind", (JsonElement body) => body);
            app.MapPost("/read", (HttpContext context) => context.Request.ReadFromJsonAsync<JsonElement>());
            await app.StartAsync(TestContext.Current.CancellationToken);
            host.Client = new() { BaseAddress = new(app.Urls.First()) };
            return host;
        }

        public async ValueTask DisposeAsync()
        {
            Client.Dispose();
            await _app.DisposeAsync();
        }
    }
}
