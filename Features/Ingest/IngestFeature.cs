using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Ingest;

/// <summary>Getting a book into the index. Needs an <see cref="IPassageIndex"/> and the site's options.</summary>
internal static class IngestFeature
{
    public static IServiceCollection AddIngest(this IServiceCollection services) => services
        .AddSingleton<MarkdownChunker>()
        .AddSingleton<BookIngest>();
}
