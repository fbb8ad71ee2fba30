using System.Net.Mime;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.OpenApi;

namespace ChatBackend.Infrastructure.Http.OpenApi;

/// <param name="Detail">When it happens, unless a comment on the handler says so; for a 400, an example that begins with the field.</param>
internal sealed record AnswerProblem(int StatusCode, string Code, string? Detail) : IProducesResponseTypeMetadata
{
    public Type Type => typeof(ProblemBody);

    public IEnumerable<string> ContentTypes => [MediaTypeNames.Application.ProblemJson];
}

internal sealed record AnswerHeader(string Name, string Description);

/// <summary>A stream, or a JSON object of several kinds, as a further content type of a route's 200: the framework keeps one type per status.</summary>
internal sealed record AnswerContent(string MediaType, string Description, string Example);

/// <summary>A content type of a route's body that is not JSON: the framework gives all of them the schema of the JSON.</summary>
internal sealed record TakenBody(string MediaType, string Description, string Example);

/// <summary>A credential that a route takes; an optional one may be omitted.</summary>
internal sealed record Credential(string Name, OpenApiSecurityScheme Scheme, bool IsOptional = false);

internal static class OpenApiMetadata
{
    /// <summary>A group of routes with a tag, and with the problems that any of them may answer with.</summary>
    public static RouteGroupBuilder MapFeature(this IEndpointRouteBuilder routes, string prefix, string tag)
    {
        var group = routes.MapGroup(prefix).WithTags(tag)
            .FailsWith(StatusCodes.Status500InternalServerError, "internal_error", "Something failed on our side. `code` tells what.")
            .FailsWith(StatusCodes.Status503ServiceUnavailable, "database_unavailable", "The database or the model is unavailable; Retry-After says when to retry.");
        ((IEndpointConventionBuilder)group).Finally(route =>
        {
            if (!route.Metadata.OfType<IAcceptsMetadata>().Any())
                return;
            route.Metadata.Add(new AnswerProblem(StatusCodes.Status413PayloadTooLarge, "body_too_large", "The body is larger than this route takes."));
            route.Metadata.Add(new AnswerProblem(StatusCodes.Status415UnsupportedMediaType, "unsupported_media_type", "The body is not of a content type that this route takes."));
        });
        return group;
    }

    public static TBuilder FailsWith<TBuilder>(this TBuilder routes, int status, string code, string? detail = null)
        where TBuilder : IEndpointConventionBuilder => routes.WithMetadata(new AnswerProblem(status, code, detail));

    public static TBuilder AnswersWithHeader<TBuilder>(this TBuilder routes, string name, string description)
        where TBuilder : IEndpointConventionBuilder => routes.WithMetadata(new AnswerHeader(name, description));
}
