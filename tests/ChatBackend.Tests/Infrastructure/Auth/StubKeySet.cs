using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChatBackend.Tests.Infrastructure.Auth;

/// <summary>A signer's key set on 127.0.0.1, which counts requests and fails as scripted.</summary>
internal sealed class StubKeySet : IAsyncDisposable
{
    private readonly WebApplication _app;
    private int _fetches;

    private StubKeySet(WebApplication app) => _app = app;

    /// <summary>The value for <c>AUTH_JWKS_URL</c>.</summary>
    public string Url => $"{_app.Urls.First()}/jwks";

    /// <summary>How many requests it got.</summary>
    public int Fetches => Volatile.Read(ref _fetches);

    /// <summary>The response.</summary>
    public Func<HttpContext, Task> Answer { get; set; } = _ => Task.CompletedTask;

    public static async Task<StubKeySet> StartAsync(params IEnumerable<SigningKey> keys)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var stub = new StubKeySet(app);
        stub.Publish(keys);
        app.MapGet("/jwks", (HttpContext context) =>
        {
            Interlocked.Increment(ref stub._fetches);
            return stub.Answer(context);
        });
        app.MapGet("/elsewhere", (HttpContext context) => context.Response.WriteAsync(SigningKey.SetOf(keys)));
        await app.StartAsync();
        return stub;
    }

    public void Publish(params IEnumerable<SigningKey> keys) => Publish(SigningKey.SetOf(keys));

    public void Publish(string json) => Answer = context => context.Response.WriteAsync(json);

    public void Fail(int status) => Answer = context =>
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    };

    public async ValueTask DisposeAsync()
    {
        await _app.StopAsync(TestContext.Current.CancellationToken);
        await _app.DisposeAsync();
    }
}
