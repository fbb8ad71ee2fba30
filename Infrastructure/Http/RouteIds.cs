namespace ChatBackend.Infrastructure.Http;

/// <summary>Ids in a route.</summary>
internal static class RouteIds
{
    /// <summary>
    /// Answers 400 and names <c>id</c> unless the route's <c>{id}</c> is a UUID in its one spelling, 8-4-4-4-12. Handlers
    /// take it as text and statements cast it: a parameter of type <see cref="Guid"/> would fail before anybody could name it.
    /// </summary>
    public static TBuilder RequireUuid<TBuilder>(this TBuilder routes) where TBuilder : IEndpointConventionBuilder => routes
        .AddEndpointFilter(async (call, next) =>
            call.HttpContext.GetRouteValue("id") is string { Length: 36 } id && Guid.TryParseExact(id, "D", out _)
                ? await next(call)
                : Problems.Invalid("id", "id must be a UUID such as 019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21."));
}
