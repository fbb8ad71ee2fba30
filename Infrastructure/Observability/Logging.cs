using System.Globalization;
using System.Text;
using Serilog;
using Serilog.Core;
using Serilog.Events;
using Serilog.Formatting.Json;

namespace ChatBackend.Infrastructure.Observability;

/// <summary>One line of JSON per event; docs/logging.md lists the events.</summary>
internal static class Logging
{
    /// <summary>In characters; longer lines are written in parts.</summary>
    private const int LongestLine = 4 * 1024;

    /// <param name="isCommand">Standard output is the command's own then: warnings and errors go to standard error.</param>
    public static void AddLogging(this WebApplicationBuilder builder, bool isCommand)
    {
        var configuration = new LoggerConfiguration()
            .MinimumLevel.Is(isCommand ? LogEventLevel.Warning : LogEventLevel.Information)
            .MinimumLevel.Override("Microsoft", LogEventLevel.Warning)
            .MinimumLevel.Override("System", LogEventLevel.Warning)
            .MinimumLevel.Override("ModelContextProtocol", LogEventLevel.Warning)
            // Npgsql logs each statement and connection; its errors reach us as exceptions.
            .MinimumLevel.Override("Npgsql", LogEventLevel.Fatal)
            // ErrorHandling logs what failed, once.
            .MinimumLevel.Override("Microsoft.AspNetCore.Diagnostics", LogEventLevel.Fatal)
            .Enrich.With<TraceIdEnricher>()
            .Enrich.With<NoPathEnricher>();

        LogEventLevel? toError = isCommand ? LogEventLevel.Verbose : null;
        if (builder.Environment.IsDevelopment())
        {
            configuration.WriteTo.Console(
                outputTemplate: "{Timestamp:HH:mm:ss} {Level:u4} {Message:lj}{NewLine}{Exception}", formatProvider: CultureInfo.InvariantCulture,
                standardErrorFromLevel: toError);
        }
        else
        {
            // Each line is written in one call. The console's own buffer of 256 characters takes three, and other writers could write in between.
            // Characters that are not valid UTF-16 are replaced: this writer's default encoding would throw, and keep them for the next line.
            Console.SetOut(new StreamWriter(Console.OpenStandardOutput(), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), LongestLine) { AutoFlush = true });
            configuration.WriteTo.Console(new JsonFormatter(renderMessage: true), standardErrorFromLevel: toError);
        }

        builder.Logging.ClearProviders();
        builder.Logging.AddSerilog(configuration.CreateLogger(), dispose: true);
    }

    private sealed class TraceIdEnricher : ILogEventEnricher
    {
        public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory)
        {
            if (System.Diagnostics.Activity.Current is { } activity)
                logEvent.AddPropertyIfAbsent(propertyFactory.CreateProperty("trace_id", activity.TraceId.ToString()));
        }
    }

    /// <summary>Removes the path that ASP.NET Core adds to each line of a request, because ids in paths give access.</summary>
    private sealed class NoPathEnricher : ILogEventEnricher
    {
        public void Enrich(LogEvent logEvent, ILogEventPropertyFactory propertyFactory) => logEvent.RemovePropertyIfPresent("RequestPath");
    }
}
