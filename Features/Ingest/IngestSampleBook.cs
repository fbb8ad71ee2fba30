using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Features.Ingest.Uploads;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Search;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Ingest;

/// <summary>Runs in the background after the migration. Later starts only compare a hash per page. Failures do not stop the service.</summary>
internal sealed class IngestSampleBook(
    NpgsqlDataSource database, DatabaseStart databaseStart, IPassageIndex index, MarkdownChunker chunker, JobStatus jobs, JobLoop loop,
    IOptions<SiteOptions> site, IHostEnvironment environment, TimeProvider time, ILogger<IngestSampleBook> log)
    : BackgroundService
{
    private static readonly TimeSpan Pause = TimeSpan.FromSeconds(5);

    private readonly TaskCompletionSource _tried = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsIngested { get; private set; }

    /// <summary>Why the book is not in the index yet; public.</summary>
    public string State { get; private set; } = "not ingested yet";

    public Task Tried => _tried.Task;

    public const string Questions = "How do two ROS 2 nodes talk to each other?|What is the zero moment point?|What does a URDF file describe?";

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
        await databaseStart.WaitAsync(stoppingToken);
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
        catch (Exception exception) when (exception is FailureException { IsUnavailable: true } || exception.IsDatabaseUnavailable())
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

        var files = BookFolder.Find(folder);
        if (await IsIndexedAsync(folder, [.. files.Pages, .. files.Categories], cancellationToken))
            return;

        await using var upload = await JobUpload.OpenAsync(database, isChecked: false, cancellationToken);
        upload.Published = new(site.Value, [], site: null);
        await upload.AddFolderAsync(folder, files, cancellationToken);
        await upload.EnqueueAsync(prune: false, plan: false, cancellationToken);
        loop.Nudge();
        var job = await jobs.WaitAsync(upload.Id, time, cancellationToken);
        foreach (var document in job?.Report is { } report ? report.Failed.Concat(report.Skipped) : [])
            log.LogWarning("Could not ingest {Path}: {Reason}", document.Path, document.Reason);
        if (job?.State != "completed")
            throw new InvalidOperationException($"The job ended as {job?.State}: {job?.Error?.Detail}");
    }

    private async Task<bool> IsIndexedAsync(string folder, IReadOnlyList<string> pages, CancellationToken cancellationToken)
    {
        var indexed = await index.GetDocumentsAsync(cancellationToken);
        foreach (var page in pages)
        {
            try
            {
                var (hash, isDraft) = chunker.Inspect(page, await BookFolder.ReadWithPartialsAsync(folder, page, cancellationToken));
                if (!isDraft && indexed.GetValueOrDefault(page) != hash)
                    return false;
            }
            catch (DocumentException)
            {
                // The job reports it.
                return false;
            }
        }

        return true;
    }

    private static string Folder(IHostEnvironment environment) => Path.Combine(environment.ContentRootPath, "sample-book");
}
