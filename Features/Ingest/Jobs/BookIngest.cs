using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Ingest.Jobs;

/// <summary>Brings the documents of a job into the index. An unchanged document is skipped, so a job that begins again continues where it was.</summary>
internal sealed class BookIngest(NpgsqlDataSource database, IPassageIndex index, MarkdownChunker chunker, IOptions<PatienceOptions> patienceOptions, TimeProvider time)
{
    /// <summary>Documents that are written at a time: the next ones are cut and sent while the index stores one.</summary>
    private const int InFlight = 3;

    private const string Index = "the search index";

    /// <summary>A broken document is reported and does not stop the others.</summary>
    public async Task RunAsync(ClaimedJob job, JobProgress progress, CancellationToken cancellationToken)
    {
        var patience = new Patience(patienceOptions.Value.Limit, time, progress);
        var documents = await patience.RunAsync("the database", token => JobDocuments.ListAsync(database, job.Id, token), cancellationToken);
        var indexed = await patience.RunAsync(Index, index.GetDocumentsAsync, cancellationToken);
        var drafts = new HashSet<string>(StringComparer.Ordinal);

        await Parallel.ForEachAsync(
            JobDocuments.ReadAsync(database, job.Id, documents, patience, cancellationToken),
            new ParallelOptions { MaxDegreeOfParallelism = InFlight, CancellationToken = cancellationToken },
            async (document, token) =>
            {
                try
                {
                    await IngestAsync(document, indexed, drafts, patience, progress, token);
                }
                catch (DocumentException e)
                {
                    progress.AddFailed(document.Path, e.Message);
                }
            });

        var kept = documents.Select(d => d.Path).Except(drafts, StringComparer.Ordinal);
        string[] gone = job.Prune && documents.Count > 0 ? [.. indexed.Keys.Except(kept, StringComparer.Ordinal)] : [];
        if (gone.Length > 0)
            await patience.RunAsync(Index, token => index.RemoveAsync(gone, token), cancellationToken);
        progress.SetRemoved(gone.Length);
        await patience.RunAsync(Index, index.MeasureSimilarityAsync, cancellationToken);
    }

    private async Task IngestAsync(
        UploadedDocument document, IReadOnlyDictionary<string, string> indexed, HashSet<string> drafts, Patience patience, JobProgress progress, CancellationToken cancellationToken)
    {
        if (document.Problem is not null)
            throw new DocumentException(document.Problem);

        var onSite = document.OnSite is { } json ? IngestJson.Read<DocumentOnSite>(json) : null;
        var (hash, isDraft) = chunker.Inspect(document.Path, document.Content, document.Title, document.Url, onSite);
        if (isDraft)
        {
            lock (drafts)
                drafts.Add(document.Path);
            progress.AddDraft();
        }
        else if (indexed.GetValueOrDefault(document.Path) == hash)
        {
            progress.AddUnchanged();
        }
        else
        {
            var missing = new List<string>();
            var cut = chunker.Document(document.Path, document.Content, document.Title, document.Url, onSite, missing);
            await patience.RunAsync(Index, token => index.ReplaceAsync(cut, token), cancellationToken);
            progress.AddIngested(document.Path, cut.Chunks.Count);
            foreach (var anchor in missing)
                progress.AddWarning(document.Path, $"The built site has no #{anchor}; the nearest heading above it is cited.");
        }
    }
}
