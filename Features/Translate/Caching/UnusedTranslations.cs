using ChatBackend.Infrastructure.Database;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Translate.Caching;

/// <summary>Deletes translations that nobody has used for 90 days, and those of anonymous clients after two, when their key no longer exists: at
/// start, and when translations are stored, at most once an hour.</summary>
internal sealed class UnusedTranslations(
    NpgsqlDataSource database, DatabaseStart databaseStart, CachedTranslator translator, IOptions<TranslationCacheOptions> options, TimeProvider time,
    ILogger<UnusedTranslations> log) : BackgroundService
{
    private const int BatchSize = 1000;
    private const int DaysOfClients = 2;

    /// <returns>How many were deleted.</returns>
    public async Task<int> DeleteAsync(CancellationToken cancellationToken)
    {
        var deleted = 0;
        while (true)
        {
            // Rows that somebody else has locked are in use, or another replica deletes them.
            var batch = await database.RetryAsync(
                connection => connection.ExecuteAsync(new(
                    """
                    delete from translations
                    where (scope, key) in (
                        select scope, key from translations
                        where used_on < current_date - @UnusedDays or (used_on < current_date - @DaysOfClients and scope like 'client %')
                        limit @BatchSize
                        for update skip locked
                    )
                    """,
                    new { options.Value.UnusedDays, DaysOfClients, BatchSize }, cancellationToken: cancellationToken)),
                cancellationToken);
            deleted += batch;
            if (batch < BatchSize)
                return deleted;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var work = new HourlyWork(databaseStart, time);
        translator.Stored += (_, _) => work.Call();
        await work.RunAsync(
            async token =>
            {
                var deleted = await DeleteAsync(token);
                if (deleted > 0)
                    log.LogInformation("Deleted {Count} translations that nobody has used for long", deleted);
            },
            e => log.LogWarning("Unused translations could not be deleted: {Reason}", e.GetType().Name),
            stoppingToken);
    }
}
