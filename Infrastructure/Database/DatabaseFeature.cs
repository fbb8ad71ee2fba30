using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Health;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Infrastructure.Database;

/// <summary>PostgreSQL: one data source for the process. The database is migrated before the first request that needs it.</summary>
internal static class DatabaseFeature
{
    public static void AddDatabase(this WebApplicationBuilder builder)
    {
        DefaultTypeMap.MatchNamesWithUnderscores = true;

        builder.BindOptions<DatabaseOptions>();
        builder.Services.AddSingleton<LocalPostgres>();
        builder.Services.AddSingleton(services => DatabaseUrl.Parse(
            services.GetRequiredService<IOptions<DatabaseOptions>>().Value.Url
            ?? services.GetRequiredService<LocalPostgres>().ConnectionString));
        builder.Services.AddSingleton(services =>
            new NpgsqlDataSourceBuilder(services.GetRequiredService<NpgsqlConnectionStringBuilder>().ConnectionString)
                .UseLoggerFactory(services.GetRequiredService<ILoggerFactory>())
                .Build());
        builder.Services.AddSingleton<PreparedStatements>();
        builder.Services.AddSingleton<Migrator>();
        builder.Services.AddSingleton<DatabaseStart>();
        builder.Services.AddHostedService(services => services.GetRequiredService<DatabaseStart>());
        builder.Services.AddSingleton(services => new Dependency("database", IsRequired: true, async cancellationToken =>
        {
            var start = services.GetRequiredService<DatabaseStart>();
            if (!start.IsMigrated)
                throw new NotReadyException(start.State);
            var database = services.GetRequiredService<NpgsqlDataSource>();
            var isReadOnly = await database.OnceAsync(
                connection => connection.ExecuteScalarAsync<bool>(new("select current_setting('transaction_read_only') = 'on'", cancellationToken: cancellationToken)),
                cancellationToken);
            if (!isReadOnly)
                return "migrated";
            PreparedStatements.Clear(database);
            throw new NotReadyException("waiting for the database to take writes");
        })
        { Started = services.GetRequiredService<DatabaseStart>().WaitAsync(CancellationToken.None) });
        builder.Services.AddSingleton(services => new Probe("database", "DATABASE_URL", async cancellationToken =>
        {
            await using var connection = await services.GetRequiredService<NpgsqlDataSource>().OpenConnectionAsync(cancellationToken);
            return $"PostgreSQL {connection.PostgreSqlVersion}";
        }));
    }

    /// <summary>Answers 503 until the database is migrated, except to requests that need no database.</summary>
    public static void UseDatabase(this WebApplication app) => app.Use((context, next) =>
    {
        var start = context.RequestServices.GetRequiredService<DatabaseStart>();
        if (start.IsMigrated || context.GetEndpoint() is not { } endpoint || endpoint.Metadata.GetMetadata<NeedsNoDatabaseAttribute>() is not null)
            return next(context);

        return Problem.Of(
            StatusCodes.Status503ServiceUnavailable, "database_unavailable", $"The service is starting: {start.State}. Try again shortly.", Failure.DefaultRetryAfter)
            .ExecuteAsync(context);
    });

    /// <summary>Starts the private server if <c>DATABASE_URL</c> is not set; it stops with the application. Call this before the host
    /// starts, because the host creates all its services, and so the data source, before it starts the first one.</summary>
    /// <exception cref="LocalPostgresException">PostgreSQL is not installed, or does not start.</exception>
    public static async Task StartLocalDatabaseAsync(this WebApplication app, CancellationToken cancellationToken)
    {
        if (app.Services.GetRequiredService<IOptions<DatabaseOptions>>().Value.Url is null)
            await app.Services.GetRequiredService<LocalPostgres>().StartAsync(cancellationToken);
    }
}
