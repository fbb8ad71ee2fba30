using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using FluentValidation;

namespace ChatBackend.Features.Search;

internal static class SearchFeature
{
    public static void AddSearch(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<IValidator<SearchPassagesRequest>, SearchPassagesRequestValidator>();
    }

    public static void MapSearch(this IEndpointRouteBuilder routes)
    {
        var search = routes.MapFeature("/search", "Search").RequireRateLimit(RateLimits.Search);

        search.MapSearchPassages();
    }
}
