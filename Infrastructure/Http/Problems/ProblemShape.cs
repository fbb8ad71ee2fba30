using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Infrastructure.Http.Problems;

/// <summary>How the routes of another protocol write their problems: in the shape that its clients read.</summary>
/// <param name="Below">The path that the protocol's routes begin with.</param>
/// <param name="MediaType">The content type, without parameters.</param>
/// <param name="Write">The body of a problem. Its <c>code</c>, and the <c>errors</c> of fields, are among the extensions.</param>
internal sealed record ProblemShape(string Below, string MediaType, Func<ProblemDetails, string> Write)
{
    /// <summary>The shape of the request's route; null for problem+json.</summary>
    public static ProblemShape? Of(HttpContext context) => context.RoutedEndpoint()?.Metadata.GetMetadata<ProblemShape>() ?? OfNeighbours(context);

    /// <summary>An unknown path or method has no route: it belongs to the protocol that it is below.</summary>
    private static ProblemShape? OfNeighbours(HttpContext context) => context.RequestServices.GetRequiredService<EndpointDataSource>().Endpoints
        .Select(e => e.Metadata.GetMetadata<ProblemShape>())
        .FirstOrDefault(shape => shape is not null && context.Request.Path.StartsWithSegments(shape.Below, StringComparison.OrdinalIgnoreCase));
}

internal static class ProblemShapes
{
    public static TBuilder WithProblemShape<TBuilder>(this TBuilder routes, ProblemShape shape) where TBuilder : IEndpointConventionBuilder =>
        routes.WithMetadata(shape);

    /// <summary>The endpoint of the request, also while an exception is handled: the request itself has none then.</summary>
    public static Endpoint? RoutedEndpoint(this HttpContext context) => context.GetEndpoint() ?? context.Features.Get<IExceptionHandlerFeature>()?.Endpoint;
}
