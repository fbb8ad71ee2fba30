using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Ingest;

/// <summary>What an ingest did.</summary>
/// <param name="Documents">Pages found, drafts not counted.</param>
/// <param name="Passages">Passages of the pages that were new or had changed.</param>
/// <param name="Unchanged">Pages that the index already had as they are.</param>
/// <param name="Removed">Pages that the index had and the folder has not.</param>
/// <param name="Drafts">Pages left out because the site does not publish them.</param>
/// <param name="Skipped">Files with a page's name that are no page, such as a link that leads nowhere.</param>
internal sealed record IngestSummary(
    int Documents, int Passages, int Unchanged, int Removed, int Drafts, IReadOnlyList<FailedDocument> Failed, IReadOnlyList<FailedDocument> Skipped);

/// <summary>A page that could not be ingested; what the index had of it stays.</summary>
internal sealed record FailedDocument(string Path, string Reason);

/// <summary>How far an ingest is.</summary>
internal sealed record IngestProgress(int Done, int Total, string Path);

/// <summary>Puts a folder's pages into the index, one after the other: the index embeds a page's passages together already.</summary>
internal sealed class BookIngest(IPassageIndex index, MarkdownChunker chunker)
{
    /// <summary>Ingests a folder. A page that is broken is listed, and the others go on; a page that is unchanged is not even cut.</summary>
    /// <param name="prune">Removes from the index what the folder does not have.</param>
    /// <param name="progress">Called before each page and once at the end.</param>
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
                var content = await BookFolder.ReadAsync(folder, page, cancellationToken);
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

        // An empty folder is far more often the wrong folder than an empty book.
        string[] gone = prune && pages.Count > 0 ? [.. indexed.Keys.Except(pages.Except(drafts, StringComparer.Ordinal), StringComparer.Ordinal)] : [];
        if (gone.Length > 0)
            await index.RemoveAsync(gone, cancellationToken);

        return new(pages.Count - drafts.Count, passages, unchanged, gone.Length, drafts.Count, failed, [.. skipped.Select(s => new FailedDocument(s.Path, s.Reason))]);
    }
}
