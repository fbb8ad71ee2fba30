using ChatBackend.Infrastructure.Database;

namespace ChatBackend.Infrastructure.Search.Postgres;

/// <summary>Loads the book's terms when the service starts, so that the first question does not wait for them.</summary>
internal sealed class LoadBook(PostgresPassageIndex index, DatabaseStart database, TimeProvider time, ILogger<LoadBook> log) : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await database.WaitAsync(stoppingToken);
        while (!await TryLoadAsync(stoppingToken))
            await Task.Delay(Pause, time, stoppingToken);
    }

    private async Task<bool> TryLoadAsync(CancellationToken cancellationToken)
    {
        try
        {
            await index.Book.LoadAsync(cancellationToken);
            return true;
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // The host would stop the whole service at an exception. Readiness says that the index is missing.
            log.LogWarning("The index of the book cannot be loaded yet ({Reason}); trying again every {Seconds} s", e.Message, Pause.TotalSeconds);
            return false;
        }
    }
}
