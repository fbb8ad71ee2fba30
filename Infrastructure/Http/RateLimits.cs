using System.Threading.RateLimiting;
using Microsoft.AspNetCore.RateLimiting;

namespace ChatBackend.Infrastructure.Http;

/// <summary>Requests a minute per client, for what costs money or work; 429 with Retry-After above that.</summary>
internal static class RateLimits
{
    public const string Chat = "RATE_LIMIT_CHAT";
    public const string Translate = "RATE_LIMIT_TRANSLATE";
    public const string Search = "RATE_LIMIT_SEARCH";

    public static void AddRateLimits(this WebApplicationBuilder builder)
    {
        builder.Services.AddRateLimiter(limiter =>
        {
            Add(limiter, Chat, builder.Configuration.GetValue(Chat, 30));
            Add(limiter, Translate, builder.Configuration.GetValue(Translate, 10));
            Add(limiter, Search, builder.Configuration.GetValue(Search, 120));
            limiter.OnRejected = async (rejected, cancellationToken) =>
            {
                var wait = rejected.Lease.TryGetMetadata(MetadataName.RetryAfter, out var after) ? after : TimeSpan.FromSeconds(10);
                var seconds = Math.Max(1, (int)Math.Ceiling(wait.TotalSeconds));
                rejected.HttpContext.Response.Headers.RetryAfter = seconds.ToString();
                await Problems.Problem(
                    StatusCodes.Status429TooManyRequests, "rate_limited", $"Too many requests. Try again in {seconds} s.")
                    .ExecuteAsync(rejected.HttpContext);
            };
        });
    }

    // The window is counted in this process: with n replicas a client may get n times as much, which no limit here minds.
    private static void Add(RateLimiterOptions limiter, string policy, int perMinute) => limiter.AddPolicy(policy, context =>
        perMinute == 0
            ? RateLimitPartition.GetNoLimiter("")
            : RateLimitPartition.GetSlidingWindowLimiter(ClientAddress.Of(context), _ => new()
            {
                PermitLimit = perMinute,
                Window = TimeSpan.FromMinutes(1),
                SegmentsPerWindow = 6,
            }));
}
