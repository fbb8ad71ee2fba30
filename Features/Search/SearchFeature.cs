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
        builder.Services.AddSingleton<IValidator<SuggestHeadingsRequest>, SuggestHeadingsRequestValidator>();
        builder.Services.AddSingleton<HeadingList>();
    }

    public static void MapSearch(this IEndpointRouteBuilder routes)
    {
        var search = routes.MapFeature("/search", "Search").AcceptToken();

        search.MapGroup("").RequireRateLimit(RateLimit.Search).MapSearchPassages();
        search.MapSuggestHeadings();
    }
}
