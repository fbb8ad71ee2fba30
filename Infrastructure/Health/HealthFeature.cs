using ChatBackend.Infrastructure.Database;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Infrastructure.Health;

/// <summary>The answer of <c>/health</c>.</summary>
/// <param name="Status">Always <c>healthy</c>: a process that is not does not answer.</param>
/// <example>{"status":"healthy"}</example>
internal sealed record HealthResponse(string Status);

internal static class HealthFeature
{
    public static void AddHealth(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<Readiness>();
        builder.Services.AddHostedService<IdleMemory>();
    }

    public static void MapHealth(this IEndpointRouteBuilder routes)
    {
        var health = routes.MapGroup("/health").WithTags("Health").WithMetadata(new NeedsNoDatabaseAttribute());
        health.MapGet("", Live).WithName("Health");
        health.MapGet("/ready", ReadyAsync).WithName("Ready").Produces<ReadinessResponse>(StatusCodes.Status503ServiceUnavailable);
    }

    /// <summary>Is the process alive?</summary>
    /// <remarks>Checks nothing else: a probe must not wake a suspended database (Neon bills for it).</remarks>
    /// <response code="200">It is.</response>
    internal static Ok<HealthResponse> Live() => TypedResults.Ok(new HealthResponse("healthy"));

    /// <summary>Can the service do its work?</summary>
    /// <remarks>
    /// Each dependency with its state and latency. The database decides, and the index where it is in PostgreSQL, whose terms are loaded at the start;
    /// the detail says what the service waits for. An unavailable model or Qdrant is only reported.
    /// </remarks>
    /// <response code="200">It can.</response>
    /// <response code="503">The database cannot be reached or is not migrated, or the index is not loaded yet or cannot be read.</response>
    internal static async Task<Results<Ok<ReadinessResponse>, JsonHttpResult<ReadinessResponse>>> ReadyAsync(
        Readiness readiness, CancellationToken cancellationToken)
    {
        var report = await readiness.CheckAsync(cancellationToken);
        return report.IsReady
            ? TypedResults.Ok(report)
            : TypedResults.Json(report, statusCode: StatusCodes.Status503ServiceUnavailable);
    }
}
