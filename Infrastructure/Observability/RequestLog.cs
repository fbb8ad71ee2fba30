using System.Diagnostics;
using ChatBackend.Infrastructure.Http.Problems;

namespace ChatBackend.Infrastructure.Observability;

/// <summary>One line per request: method, route, status, duration, trace id, session shortened. Never bodies, queries or tokens.</summary>
internal sealed class RequestLog(RequestDelegate next, ILogger<RequestLog> log)
{
    public static readonly object SessionKey = new();

    public async Task InvokeAsync(HttpContext context)
    {
        var started = Stopwatch.GetTimestamp();
        try
        {
            await next(context);
        }
        finally
        {
            // The route's template, not the path: ids in paths give access, and templates can be counted.
            var route = (context.RoutedEndpoint() as RouteEndpoint)?.RoutePattern.RawText is { } template ? $"/{template.Trim('/')}" : "unmatched";
            Telemetry.Describe(context, route);
            var level = context.Response.StatusCode >= 500 ? LogLevel.Error
                : route.StartsWith("/health", StringComparison.Ordinal) ? LogLevel.Debug
                : LogLevel.Information;
            log.Log(
                level, "{method} {route} {status} in {duration_ms} ms, trace {trace_id}, session {session}",
                context.Request.Method, route, context.Response.StatusCode,
                Math.Round(Stopwatch.GetElapsedTime(started).TotalMilliseconds, 1), ErrorHandling.TraceId(context), SessionOf(context));
        }
    }

    /// <summary>Eight characters: enough to follow a conversation in the logs, too few to read it.</summary>
    public static string Shorten(Guid session) => session.ToString("N")[..8];

    private static string? SessionOf(HttpContext context) =>
        context.Items.TryGetValue(SessionKey, out var session) ? Shorten((Guid)session!) : null;
}
