using System.Diagnostics;
using Microsoft.AspNetCore.Http.Features;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace ChatBackend.Infrastructure.Observability;

/// <summary>Exports traces and metrics over OTLP if <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> is set.</summary>
internal static class Telemetry
{
    /// <summary>OTLP's port for gRPC; any other port means HTTP.</summary>
    private const int GrpcPort = 4317;

    public static void AddTelemetry(this WebApplicationBuilder builder)
    {
        if (builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] is not null)
            builder.Services.AddHostedService<Export>();
    }

    /// <summary>Sets what ASP.NET Core leaves empty in a request's span. The route's template replaces the path, because ids in paths give access.</summary>
    public static void Describe(HttpContext context, string route)
    {
        if (context.Features.Get<IHttpActivityFeature>()?.Activity is not { IsAllDataRequested: true } span)
            return;

        span.DisplayName = $"{context.Request.Method} {route}";
        span.SetTag("http.request.method", context.Request.Method);
        span.SetTag("url.scheme", context.Request.Scheme);
        span.SetTag("http.route", route);
        span.SetTag("http.response.status_code", context.Response.StatusCode);
        if (context.Response.StatusCode >= StatusCodes.Status500InternalServerError)
            span.SetStatus(ActivityStatusCode.Error);
    }

    /// <summary>OTLP's default is <c>http/protobuf</c>, but port 4317 is gRPC's.</summary>
    private static OtlpExportProtocol ProtocolOf(IConfiguration configuration) => configuration["OTEL_EXPORTER_OTLP_PROTOCOL"] switch
    {
        "grpc" => OtlpExportProtocol.Grpc,
        null or "" when new Uri(configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]!).Port == GrpcPort => OtlpExportProtocol.Grpc,
        _ => OtlpExportProtocol.HttpProtobuf,
    };

    /// <summary>Exports from the host's start. Disposal, after the last request, flushes the rest.</summary>
    private sealed class Export(IConfiguration configuration) : IHostedService, IDisposable
    {
        private OpenTelemetrySdk? _sdk;

        public Task StartAsync(CancellationToken cancellationToken)
        {
            var protocol = ProtocolOf(configuration);
            _sdk = OpenTelemetrySdk.Create(telemetry =>
            {
                // The exporter reads the other OTEL_ variables itself.
                telemetry.Services.AddSingleton(configuration);
                telemetry
                    .ConfigureResource(resource => resource.AddService(configuration["OTEL_SERVICE_NAME"] ?? "chatbackend"))
                    // ASP.NET Core, HttpClient and Npgsql have their own activities and meters, which only need to be named.
                    .WithTracing(traces => traces
                        .AddSource("Microsoft.AspNetCore", "System.Net.Http", "Npgsql", "ChatBackend.Ai")
                        .AddOtlpExporter(o => o.Protocol = protocol))
                    .WithMetrics(metrics => metrics
                        .AddMeter("Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Net.Http", "Npgsql", "System.Runtime", "ChatBackend")
                        .AddOtlpExporter(o => o.Protocol = protocol));
            });
            return Task.CompletedTask;
        }

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public void Dispose() => _sdk?.Dispose();
    }
}
