using ChatBackend.Infrastructure.Http;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Infrastructure.Database;

/// <summary>PostgreSQL: one data source for the process, migrated before the first request.</summary>
internal static class DatabaseFeature
{
    public static void AddDatabase(this WebApplicationBuilder builder)
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true;

        builder.Services.Configure<DatabaseOptions>(builder.Configuration);
        builder.Services.AddSingleton<LocalPostgres>();
        builder.Services.AddSingleton(services => DatabaseUrl.Parse(
            services.GetRequiredService<IOptions<DatabaseOptions>>().Value.Url
            ?? services.GetRequiredService<LocalPostgres>().ConnectionString));
        builder.Services.AddSingleton(services =>
            new NpgsqlDataSourceBuilder(services.GetRequiredService<NpgsqlConnectionStringBuilder>().ConnectionString)
                .UseLoggerFactory(services.GetRequiredService<ILoggerFactory>())
                .Build());
        builder.Services.AddSingleton<Migrator>();
        builder.Services.AddSingleton<DatabaseStart>();
        // Hosted services start in order, the web server last: the database is there when the first request is.
        builder.Services.AddHostedService(services => services.GetRequiredService<DatabaseStart>());
        builder.Services.AddSingleton(services => new Dependency("database", IsRequired: true, async cancellationToken =>
        {
            await using var connection = await services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync(cancellationToken);
            await connection.ExecuteScalarAsync<int>(new("select 1", cancellationToken: cancellationToken));
            return services.GetRequiredService<DatabaseStart>().IsMigrated
                ? "migrated"
                : throw new InvalidOperationException("The migrations have not run yet.");
        }));
    }

    /// <summary>
    /// Starts the private server where no <c>DATABASE_URL</c> is set. It comes before the host, which makes all its services,
    /// and with them the data source, before it starts the first.
    /// </summary>
    /// <exception cref="LocalPostgresException">PostgreSQL is not installed, or does not start.</exception>
    public static async Task StartLocalDatabaseAsync(this WebApplication app)
    {
        if (app.Services.GetRequiredService<IOptions<DatabaseOptions>>().Value.Url is null)
            await app.Services.GetRequiredService<LocalPostgres>().StartAsync(CancellationToken.None);
    }
}
