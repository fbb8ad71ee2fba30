using System.Net;
using System.Net.Http.Json;

namespace ChatBackend.Tests.Infrastructure.Observability;

public sealed class TelemetryTests : IAsyncLifetime
{
    private StubCollector _collector = null!;

    public async ValueTask InitializeAsync() => _collector = await StubCollector.StartAsync();

    public ValueTask DisposeAsync() => _collector.DisposeAsync();

    [Fact]
    public async Task A_request_arrives_as_a_trace_and_in_the_metrics_while_the_service_runs()
    {
        await using var app = NewApp(("OTEL_BSP_SCHEDULE_DELAY", "50"), ("OTEL_METRIC_EXPORT_INTERVAL", "50"));
        await app.InitializeAsync();

        await app.Client.GetAsync("/search?q=robots");

        await Until.TrueAsync(() => _collector.Traces.Contains("GET /search") && _collector.Traces.Contains("chatbackend"), "No trace arrived.");
        await Until.TrueAsync(() => _collector.Metrics.Contains("http.server.request.duration"), "No metric arrived.");
    }

    [Fact]
    public async Task Unsent_telemetry_is_flushed_at_shutdown()
    {
        var app = NewApp();
        await app.InitializeAsync();
        var response = await app.Client.PostAsJsonAsync("/chat", new { message = "What is a topic?" });
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);

        await app.DisposeAsync();

        // On a busy machine the collector, which is in this process, may be slower than the shutdown.
        await Until.TrueAsync(() => _collector.Traces.Contains("POST /chat") && _collector.Traces.Contains("Npgsql"), "No trace arrived.");
        await Until.TrueAsync(() => _collector.Metrics.Contains("http.server.request.duration") && _collector.Metrics.Contains("Npgsql"), "No metric arrived.");
    }

    [Fact]
    public async Task An_unavailable_collector_does_not_affect_requests()
    {
        await using var app = new ChatBackendApp { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = "http://127.0.0.1:1" };
        await app.InitializeAsync();

        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/health")).StatusCode);
    }

    private ChatBackendApp NewApp(params (string Name, string Value)[] settings)
    {
        var app = new ChatBackendApp { ["OTEL_EXPORTER_OTLP_ENDPOINT"] = _collector.Endpoint };
        foreach (var (name, value) in settings)
            app[name] = value;
        return app;
    }
}
