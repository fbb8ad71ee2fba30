using System.Threading.RateLimiting;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Infrastructure.Http;

/// <summary>Limits on requests per minute and client; above them, 429 with Retry-After.</summary>
internal static class RateLimits
{
    public const string Chat = "RATE_LIMIT_CHAT";
    public const string Search = "RATE_LIMIT_SEARCH";

    public static void AddRateLimits(this WebApplicationBuilder builder, RateLimitOptions options)
    {
        // Handlers acquire this one themselves: only they can tell a retry, which is free, from a new question.
        builder.Services.AddKeyedSingleton(Chat, (_, _) => PartitionedRateLimiter.Create<HttpContext, string>(context => Partition(context, options.Chat)));
        builder.Services.AddRateLimiter(limiter =>
        {
            limiter.AddPolicy(Search, context => Partition(context, options.Search));
            limiter.OnRejected = async (rejected, _) => await Refuse(rejected.Lease).ExecuteAsync(rejected.HttpContext);
        });
    }

    public static TBuilder RequireRateLimit<TBuilder>(this TBuilder routes, string policy) where TBuilder : IEndpointConventionBuilder => routes
        .RequireRateLimiting(policy)
        .FailsWith(StatusCodes.Status429TooManyRequests, "rate_limited", "Too many requests from this client; Retry-After says when to retry.");

    public static ProblemHttpResult Refuse(RateLimitLease lease)
    {
        var wait = lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : TimeSpan.FromSeconds(10);
        return Problem.Of(StatusCodes.Status429TooManyRequests, "rate_limited", $"Too many requests. Try again in {Problem.RetryAfterSeconds(wait)} s.", wait);
    }

    // Each process counts its own requests: with n replicas a client may get up to n times as many.
    private static RateLimitPartition<string> Partition(HttpContext context, int perMinute) => perMinute == 0
        ? RateLimitPartition.GetNoLimiter("")
        : RateLimitPartition.GetSlidingWindowLimiter(RateLimitKey.Of(context), _ => new()
        {
            PermitLimit = perMinute,
            Window = TimeSpan.FromMinutes(1),
            SegmentsPerWindow = 6,
        });
}
