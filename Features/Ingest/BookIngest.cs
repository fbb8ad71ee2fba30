using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Ingest;

/// <param name="Skipped">Files that are named like a page but are not one, such as a broken link.</param>
internal sealed record IngestSummary(
    int Documents, int Passages, int Unchanged, int Removed, int Drafts, IReadOnlyList<FailedDocument> Failed, IReadOnlyList<FailedDocument> Skipped);

/// <summary>A page that could not be ingested; the index keeps its old version.</summary>
internal sealed record FailedDocument(string Path, string Reason);

internal sealed record IngestProgress(int Done, int Total, string Path);

internal sealed class BookIngest(IPassageIndex index, MarkdownChunker chunker)
{
    /// <summary>A broken page is reported and does not stop the others. An unchanged page is skipped.</summary>
    /// <exception cref="DirectoryNotFoundException">There is no such folder.</exception>
    public async Task<IngestSummary> IngestAsync(string folder, bool prune, Action<IngestProgress>? progress, CancellationToken cancellationToken)
    {
        var (pages, skipped) = BookFolder.Find(folder);
        var indexed = await index.GetDocumentsAsync(cancellationToken);
        var drafts = new HashSet<string>(StringComparer.Ordinal);
        var failed = new List<FailedDocument>();
        var passages = 0;
        var unchanged = 0;

        for (var done = 0; done < pages.Count; done++)
        {
            var page = pages[done];
            progress?.Invoke(new(done, pages.Count, page));

            try
            {
                var content = await BookFolder.ReadWithPartialsAsync(folder, page, cancellationToken);
                var (hash, isDraft) = chunker.Inspect(page, content);

                if (isDraft)
                {
                    drafts.Add(page);
                }
                else if (indexed.GetValueOrDefault(page) == hash)
                {
                    unchanged++;
                }
                else
                {
                    var document = chunker.Document(page, content);
                    await index.ReplaceAsync(document, cancellationToken);
                    passages += document.Chunks.Count;
                }
            }
            catch (Exception exception) when (exception is DocumentException or ModelException)
            {
                failed.Add(new(page, exception.Message));
            }
        }

        progress?.Invoke(new(pages.Count, pages.Count, ""));

        // An empty folder is most likely the wrong folder.
        string[] gone = prune && pages.Count > 0 ? [.. indexed.Keys.Except(pages.Except(drafts, StringComparer.Ordinal), StringComparer.Ordinal)] : [];
        if (gone.Length > 0)
            await index.RemoveAsync(gone, cancellationToken);

        return new(pages.Count - drafts.Count, passages, unchanged, gone.Length, drafts.Count, failed, [.. skipped.Select(s => new FailedDocument(s.Path, s.Reason))]);
    }
}
