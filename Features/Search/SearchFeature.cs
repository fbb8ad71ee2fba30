using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Limits;
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
        var search = routes.MapFeature("/search", "Search").AcceptToken().RequireRateLimit(RateLimit.Search);

        search.MapSearchPassages();
    }
}
