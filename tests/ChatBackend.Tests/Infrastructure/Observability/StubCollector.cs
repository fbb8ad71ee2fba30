using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace ChatBackend.Tests.Infrastructure.Observability;

/// <summary>An OTLP collector (http/protobuf) on 127.0.0.1 that keeps what it is sent.</summary>
internal sealed class StubCollector : IAsyncDisposable
{
    private readonly WebApplication _app;
    private readonly ConcurrentQueue<(string Path, string Text)> _exports = new();

    private StubCollector(WebApplication app) => _app = app;

    /// <summary>The value for <c>OTEL_EXPORTER_OTLP_ENDPOINT</c>.</summary>
    public string Endpoint => _app.Urls.First();

    /// <summary>All traces so far. Names and values are plain UTF-8 in protobuf: they can be searched for as they are.</summary>
    public string Traces => Sent("/v1/traces");

    /// <summary>All metrics so far.</summary>
    public string Metrics => Sent("/v1/metrics");

    public static async Task<StubCollector> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        var app = builder.Build();
        var collector = new StubCollector(app);
        app.MapPost("/{**path}", collector.KeepAsync);
        await app.StartAsync();
        return collector;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    private string Sent(string path) => string.Join('\n', _exports.Where(e => e.Path == path).Select(e => e.Text));

    private async Task KeepAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        await context.Request.Body.CopyToAsync(body);
        _exports.Enqueue((context.Request.Path, Encoding.UTF8.GetString(body.ToArray())));
        context.Response.ContentType = "application/x-protobuf";
    }
}
