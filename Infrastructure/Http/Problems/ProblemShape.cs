using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Routing.Patterns;

namespace ChatBackend.Infrastructure.Http.Problems;

/// <summary>How the routes of another protocol write their problems: in the shape that its clients read.</summary>
/// <param name="MediaType">The content type, without parameters.</param>
/// <param name="Write">The body of a problem. Its <c>code</c>, and the <c>errors</c> of fields, are among the extensions.</param>
internal sealed record ProblemShape(string MediaType, Func<ProblemDetails, string> Write)
{
    /// <summary>The shape of the request's route; null for problem+json. While an exception is handled, the request has no endpoint.</summary>
    public static ProblemShape? Of(HttpContext context) =>
        (context.GetEndpoint() ?? context.Features.Get<IExceptionHandlerFeature>()?.Endpoint)?.Metadata.GetMetadata<ProblemShape>() ?? OfNeighbours(context);

    /// <summary>An unknown path or method has no route: it belongs to the protocol of the routes that begin with the same segment.</summary>
    private static ProblemShape? OfNeighbours(HttpContext context) => context.RequestServices.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
        .Where(e => e.RoutePattern.PathSegments is [{ Parts: [RoutePatternLiteralPart { Content: var first }] }, ..] && context.Request.Path.StartsWithSegments($"/{first}", StringComparison.OrdinalIgnoreCase))
        .Select(e => e.Metadata.GetMetadata<ProblemShape>()).FirstOrDefault(shape => shape is not null);
}

internal static class ProblemShapes
{
    public static TBuilder WithProblemShape<TBuilder>(this TBuilder routes, ProblemShape shape) where TBuilder : IEndpointConventionBuilder =>
        routes.WithMetadata(shape);
}
