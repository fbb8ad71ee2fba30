using System.Threading.Channels;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Translate.Caching;

/// <summary>Deletes translations that nobody has used for 90 days, and those of anonymous clients after two, when their key no longer exists: at
/// start, and when translations are stored, at most once an hour. It has no timer, so a database that suspends when idle can do so.</summary>
internal sealed class UnusedTranslations(
    NpgsqlDataSource database, DatabaseStart databaseStart, CachedTranslator translator, IOptions<TranslationCacheOptions> options, TimeProvider time,
    ILogger<UnusedTranslations> log) : BackgroundService
{
    private const int BatchSize = 1000;
    private const int DaysOfClients = 2;

    private static readonly TimeSpan Pause = TimeSpan.FromHours(1);

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
        var stored = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        translator.Stored += (_, _) => stored.Writer.TryWrite(true);
        await databaseStart.WaitAsync(stoppingToken);
        while (true)
        {
            try
            {
                var deleted = await DeleteAsync(stoppingToken);
                if (deleted > 0)
                    log.LogInformation("Deleted {Count} translations that nobody has used for long", deleted);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // The next translation tries again. The host would stop the whole service at an exception.
                log.LogWarning("Unused translations could not be deleted: {Reason}", e.GetType().Name);
            }

            var ended = time.GetTimestamp();
            do
                await stored.Reader.ReadAsync(stoppingToken);
            while (time.GetElapsedTime(ended) < Pause);
        }
    }
}
