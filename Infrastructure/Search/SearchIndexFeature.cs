using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Health;
using ChatBackend.Infrastructure.Search.Postgres;
using ChatBackend.Infrastructure.Search.Qdrant;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Infrastructure.Search;

/// <summary>The index of the book's passages: Qdrant if <c>QDRANT_URL</c> is set, else PostgreSQL.</summary>
internal static class SearchIndexFeature
{
    public static void AddPassageIndex(this WebApplicationBuilder builder)
    {
        builder.BindOptions<SiteOptions>();
        builder.Services.AddSingleton(services => (IPassageVectors)services.GetRequiredService<IPassageIndex>());
        if (builder.BindOptions<QdrantOptions>().Url is null)
        {
            builder.Services.AddSingleton(services => new PostgresPassageIndex(
                services.GetRequiredService<NpgsqlDataSource>(),
                services.GetService<IEmbedder>() is { } embedder
                    ? new(services.GetRequiredService<NpgsqlDataSource>(), embedder, services.GetRequiredService<IOptions<SiteOptions>>().Value.BookLanguage,
                        services.GetRequiredService<ILogger<PostgresVectors>>())
                    : null,
                services.GetRequiredService<ILogger<PostgresPassageIndex>>()));
            builder.Services.AddSingleton<IPassageIndex>(services => services.GetRequiredService<PostgresPassageIndex>());
            builder.Services.AddHostedService<LoadBook>();
            builder.Services.AddSingleton(services => new Dependency("index", IsRequired: true, _ =>
                services.GetRequiredService<PostgresPassageIndex>().Book switch
                {
                    { IsLater: true } => throw new NotReadyException("a later version of the service has indexed the book"),
                    { Index: { IsLoaded: true } index } => Task.FromResult($"{index.PassageCount} passages"),
                    _ => throw new NotReadyException("loading"),
                }));
            return;
        }

        builder.Services.AddSingleton<QdrantClient>();
        builder.Services.AddSingleton(services => new QdrantSchema(
            services.GetRequiredService<QdrantClient>(), services.GetService<IEmbedder>(), services.GetRequiredService<TimeProvider>(),
            services.GetRequiredService<ILogger<QdrantSchema>>()));
        builder.Services.AddHostedService<QdrantStart>();
        builder.Services.AddSingleton(services => new QdrantCollections(
            services.GetRequiredService<QdrantClient>(), services.GetRequiredService<QdrantSchema>(), services.GetService<IEmbedder>()));
        // Without an embedder, only words are searched.
        builder.Services.AddSingleton(services => new QdrantDocuments(
            services.GetRequiredService<QdrantClient>(), services.GetRequiredService<QdrantCollections>(), services.GetService<IEmbedder>(),
            services.GetRequiredService<ILogger<QdrantDocuments>>()));
        builder.Services.AddSingleton(services => new QdrantThreshold(
            services.GetRequiredService<QdrantCollections>(), services.GetRequiredService<QdrantDocuments>(), services.GetService<IEmbedder>(),
            services.GetRequiredService<IOptions<SiteOptions>>().Value.BookLanguage, services.GetRequiredService<ILogger<QdrantThreshold>>()));
        builder.Services.AddSingleton<IPassageIndex>(services => new QdrantPassageIndex(
            services.GetRequiredService<QdrantClient>(), services.GetRequiredService<QdrantSchema>(), services.GetRequiredService<QdrantDocuments>(),
            services.GetRequiredService<QdrantThreshold>(), services.GetService<IEmbedder>(), services.GetRequiredService<ILogger<QdrantPassageIndex>>()));
        builder.Services.AddSingleton(services => new Probe(
            "qdrant", "QDRANT_URL, QDRANT_API_KEY, QDRANT_COLLECTION", token => services.GetRequiredService<QdrantSchema>().DescribeAsync(token)));
        builder.Services.AddSingleton(services => new Dependency("qdrant", IsRequired: false, async cancellationToken =>
        {
            try
            {
                return await services.GetRequiredService<QdrantSchema>().DescribeAsync(cancellationToken);
            }
            catch (SearchException e) when (e.IsMisconfigured || e.Status is not null)
            {
                throw new NotReadyException(e.Message);
            }
        }));
    }
}
