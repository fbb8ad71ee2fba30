using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using FluentValidation;

namespace ChatBackend.Features.Search;

/// <summary>What a question would find in the book, for those who tune or embed the search.</summary>
internal static class SearchFeature
{
    public static void AddSearch(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<IValidator<SearchPassagesRequest>, SearchPassagesValidator>();
    }

    public static void MapSearch(this IEndpointRouteBuilder routes)
    {
        var search = routes.MapFeature("/search", "Search").RequireRateLimit(RateLimits.Search);

        search.MapSearchPassages();
    }
}
