using Npgsql;

namespace ChatBackend.Infrastructure.Search;

/// <summary>The index of the book's passages: embedded in PostgreSQL.</summary>
internal static class SearchIndexFeature
{
    public static void AddPassageIndex(this WebApplicationBuilder builder)
    {
        builder.Services.Configure<SiteOptions>(builder.Configuration);
        builder.Services.AddSingleton<IPassageIndex>(services => new PostgresPassageIndex(services.GetRequiredService<NpgsqlDataSource>()));
    }
}
