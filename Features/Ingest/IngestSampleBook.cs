using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Ingest;

/// <summary>Runs in the background after the migration. Later starts only compare a hash per page. Failures do not stop the service.</summary>
internal sealed class IngestSampleBook(BookIngest ingest, DatabaseStart database, IHostEnvironment environment, TimeProvider time, ILogger<IngestSampleBook> log)
    : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource _tried = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsIngested { get; private set; }

    /// <summary>Why the book is not in the index yet; public.</summary>
    public string State { get; private set; } = "not ingested yet";

    public Task Tried => _tried.Task;

    public static string? FindTitle(IHostEnvironment environment)
    {
        var page = Path.Combine(Folder(environment), "intro.md");
        try
        {
            // Opening a pipe may block for ever. A pipe has no length.
            return new FileInfo(page) is { Exists: true, Length: > 0 } ? FrontMatter.Split(File.ReadAllText(page).ReplaceLineEndings("\n")).FrontMatter.Title : null;
        }
        catch (Exception exception) when (exception is DocumentException or IOException or UnauthorizedAccessException)
        {
            // The ingest reports what is wrong with the page.
            return null;
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await database.WaitAsync(stoppingToken);
        while (await TryIngestAsync(stoppingToken))
            await Task.Delay(Pause, time, stoppingToken);
    }

    private async Task<bool> TryIngestAsync(CancellationToken cancellationToken)
    {
        try
        {
            await IngestAsync(cancellationToken);
            IsIngested = true;
            return false;
        }
        catch (Exception exception) when (exception is SearchException { IsUnavailable: true } || exception.IsDatabaseUnavailable())
        {
            if (!_tried.Task.IsCompleted)
                log.LogWarning("Could not ingest the sample book yet: {Reason}", exception.Message);
            State = "waiting for the database or the search index";
            return true;
        }
        catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
        {
            log.LogError(exception, "Could not ingest the sample book");
            State = "could not be ingested; the log says why";
            return false;
        }
        finally
        {
            _tried.TrySetResult();
        }
    }

    private async Task IngestAsync(CancellationToken cancellationToken)
    {
        var folder = Folder(environment);
        if (!Directory.Exists(folder))
            return;

        var summary = await ingest.IngestAsync(folder, prune: false, progress: null, cancellationToken);
        if (summary.Passages > 0)
            log.LogInformation("Ingested the sample book: {Documents} documents, {Passages} passages", summary.Documents, summary.Passages);
        foreach (var document in summary.Failed.Concat(summary.Skipped))
            log.LogWarning("Could not ingest {Path}: {Reason}", document.Path, document.Reason);
    }

    private static string Folder(IHostEnvironment environment) => Path.Combine(environment.ContentRootPath, "sample-book");
}
