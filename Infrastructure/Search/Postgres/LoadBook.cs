using ChatBackend.Infrastructure.Database;

namespace ChatBackend.Infrastructure.Search.Postgres;

/// <summary>Loads the book's terms when the service starts, so that the first question does not wait for them. Tries again while it cannot read those of a
/// later version of the service: after a deployment was rolled back, an ingest packs them anew.</summary>
internal sealed class LoadBook(PostgresPassageIndex index, DatabaseStart database, TimeProvider time, ILogger<LoadBook> log) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    /// <summary>Between looks, in memory alone, whether a search met terms of a later version.</summary>
    private static readonly TimeSpan LaterPause = TimeSpan.FromSeconds(5);

    private string? _logged;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await database.WaitAsync(stoppingToken);
        while (true)
        {
            if (!index.Book.Index.IsLoaded || index.Book.IsLater)
                await TryLoadAsync(stoppingToken);
            await Task.Delay(index.Book.Index.IsLoaded || index.Book.IsLater ? LaterPause : Pause, time, stoppingToken);
        }
    }

    private async Task TryLoadAsync(CancellationToken cancellationToken)
    {
        try
        {
            await index.Book.ReadAsync((_, newest) => Task.FromResult(newest), isAgain: false, cancellationToken);
            _logged = null;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The host would stop the whole service at an exception. Readiness says that the index is missing.
            if (_logged != e.Message)
                log.LogWarning("The index of the book cannot be loaded yet ({Reason}); trying again", e.Message);
            _logged = e.Message;
        }
    }
}
