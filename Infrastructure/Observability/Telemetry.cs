using OpenTelemetry;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace ChatBackend.Infrastructure.Observability;

/// <summary>Traces and metrics over OTLP, where <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> says to; nothing at all elsewhere.</summary>
internal static class Telemetry
{
    public static void AddTelemetry(this WebApplicationBuilder builder)
    {
        if (builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] is not { } endpoint)
            return;

        // ASP.NET Core, HttpClient and Npgsql emit their own activities and meters: naming them is all it takes.
        var resource = ResourceBuilder.CreateDefault().AddService("chatbackend");
        builder.Services.AddSingleton(Sdk.CreateTracerProviderBuilder()
            .SetResourceBuilder(resource)
            .AddSource("Microsoft.AspNetCore", "System.Net.Http", "Npgsql", "ChatBackend.Ai")
            .AddOtlpExporter(o => o.Endpoint = new(endpoint))
            .Build());
        builder.Services.AddSingleton(Sdk.CreateMeterProviderBuilder()
            .SetResourceBuilder(resource)
            .AddMeter("Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Net.Http", "Npgsql", "System.Runtime", "ChatBackend")
            .AddOtlpExporter(o => o.Endpoint = new(endpoint))
            .Build());
    }
}
