using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Ingest;

/// <summary>
/// Gives a fresh machine something to ask: <c>sample-book/</c> beside the service goes into the index at start, before the
/// first request. Later starts find it unchanged and cost a hash a page. What fails is logged and stops nothing.
/// </summary>
internal sealed class IngestSampleBook(BookIngest ingest, DatabaseStart database, IHostEnvironment environment, ILogger<IngestSampleBook> log)
    : IHostedService
{
    /// <summary>The title of the book's first page, which is the book's; null where there is none.</summary>
    public static string? FindTitle(IHostEnvironment environment)
    {
        var page = Path.Combine(Folder(environment), "intro.md");
        try
        {
            return File.Exists(page) ? FrontMatter.Split(File.ReadAllText(page).ReplaceLineEndings("\n")).FrontMatter.Title : null;
        }
        catch (DocumentException)
        {
            // The ingest reports what is wrong with the page.
            return null;
        }
    }

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        var folder = Folder(environment);
        if (!Directory.Exists(folder) || !database.IsMigrated)
            return;

        IngestSummary summary;
        try
        {
            summary = await ingest.IngestAsync(folder, prune: false, progress: null, cancellationToken);
        }
        catch (SearchException exception)
        {
            log.LogWarning("Could not ingest the sample book: {Reason}", exception.Message);
            return;
        }

        if (summary.Passages > 0)
            log.LogInformation("Ingested the sample book: {Documents} documents, {Passages} passages", summary.Documents, summary.Passages);
        foreach (var document in summary.Failed)
            log.LogWarning("Could not ingest {Path}: {Reason}", document.Path, document.Reason);
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private static string Folder(IHostEnvironment environment) => Path.Combine(environment.ContentRootPath, "sample-book");
}
