using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;

namespace ChatBackend.Infrastructure.Http;

internal static class RouteIds
{
    private const string Message = $"id must be a UUID such as {OpenApiExamples.Id}.";

    /// <summary>
    /// Answers 400 and names <c>id</c> unless it is a UUID of the form 8-4-4-4-12. Binding to <see cref="Guid"/> would not name the field.
    /// </summary>
    public static TBuilder RequireUuid<TBuilder>(this TBuilder routes) where TBuilder : IEndpointConventionBuilder => routes
        .FailsWith(StatusCodes.Status400BadRequest, "invalid_request", Message)
        .AddEndpointFilter(async (call, next) =>
            call.HttpContext.GetRouteValue("id") is string { Length: 36 } id && Guid.TryParseExact(id, "D", out _)
                ? await next(call)
                : Problem.Invalid("id", Message));
}
