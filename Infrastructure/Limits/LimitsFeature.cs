using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Http.OpenApi;

namespace ChatBackend.Infrastructure.Limits;

internal static class LimitsFeature
{
    public static void AddLimits(this WebApplicationBuilder builder)
    {
        var rates = builder.BindOptions<RateLimitOptions>();
        Add(RateLimit.Chat, rates.Chat);
        Add(RateLimit.Search, rates.Search);
        Add(RateLimit.Translate, rates.Translate);
        builder.BindOptions<BudgetOptions>();
        builder.Services.AddSingleton<TokenBudget>();

        void Add(string policy, int perMinute) =>
            builder.Services.AddKeyedSingleton(policy, (services, _) => new RateLimit(policy, perMinute, services.GetRequiredService<TimeProvider>()));
    }

    /// <summary>Counts every request. Where some are free (a repeated question), the handler calls <see cref="RateLimit.Take"/> itself and the
    /// route is marked with <see cref="FailsWhenLimited"/>.</summary>
    public static RouteGroupBuilder RequireRateLimit(this RouteGroupBuilder routes, string policy)
    {
        routes.AddEndpointFilter(async (call, next) =>
            call.HttpContext.RequestServices.GetRequiredKeyedService<RateLimit>(policy).Take(call.HttpContext) ?? await next(call));
        return routes.FailsWhenLimited();
    }

    public static TBuilder FailsWhenSpent<TBuilder>(this TBuilder routes) where TBuilder : IEndpointConventionBuilder =>
        routes.FailsWith(StatusCodes.Status429TooManyRequests, "budget_spent");

    public static TBuilder FailsWhenLimited<TBuilder>(this TBuilder routes) where TBuilder : IEndpointConventionBuilder => routes
        .FailsWith(StatusCodes.Status429TooManyRequests, "rate_limited", "Too many requests from this client; Retry-After says when to retry.")
        .AnswersWithHeader(RateLimit.PolicyHeader, "The limit, such as \"chat\";q=30;w=60: 30 requests in 60 seconds. Absent where there is none.")
        .AnswersWithHeader(RateLimit.Header, "What is left of it, such as \"chat\";r=29;t=52: 29 requests, and more in 52 seconds.");
}
