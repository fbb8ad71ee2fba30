using System.Runtime.CompilerServices;
using ChatBackend.Features.Ingest.Progress;
using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Ingest.Jobs;

/// <summary>Brings the documents of a job into the index. An unchanged document is skipped, so a job that begins again continues where it was.
/// A passage whose content is in the index, wherever it is there, is not embedded again.</summary>
internal sealed class BookIngest(
    NpgsqlDataSource database, IPassageIndex index, IPassageVectors vectors, MarkdownChunker chunker, IOptions<PatienceOptions> options, TimeProvider time)
{
    /// <summary>Groups of documents that are embedded and written at a time.</summary>
    private const int InFlight = 4;

    /// <summary>Documents with this many passages together are a group: as many as one call of the embedding model takes.</summary>
    private const int GroupPassages = PassageEmbedder.MaxTexts;

    private const string Index = "the search index";

    /// <summary>A broken document is reported and does not stop the others.</summary>
    public async Task RunAsync(ClaimedJob job, JobProgress progress, CancellationToken cancellationToken)
    {
        var patience = new Patience(options.Value.Limit, time, progress);
        using var embedder = vectors.Embedder is { } model ? new PassageEmbedder(model, patience, progress, time) : null;
        var documents = await patience.RunAsync("the database", token => JobDocuments.ListAsync(database, job.Id, token), cancellationToken);
        var indexed = await patience.RunAsync(Index, index.GetDocumentsAsync, cancellationToken);
        var unembedded = await patience.RunAsync(Index, vectors.ListUnembeddedAsync, cancellationToken);
        var drafts = new HashSet<string>(StringComparer.Ordinal);
        var changed = ChangedAsync(job, documents, indexed, unembedded, drafts, patience, progress, cancellationToken);

        if (job.Plan)
        {
            progress.SetPlan(await PlanAsync(changed, indexed, () => Gone(job, documents, indexed, drafts), patience, progress, cancellationToken));
            return;
        }

        await Parallel.ForEachAsync(
            GroupsAsync(changed, cancellationToken),
            new ParallelOptions { MaxDegreeOfParallelism = InFlight, CancellationToken = cancellationToken },
            async (group, token) => await IndexAsync(group, indexed, embedder, patience, progress, token));

        var gone = Gone(job, documents, indexed, drafts);
        if (gone.Length > 0)
            await patience.RunAsync(Index, token => index.RemoveAsync(gone, token), cancellationToken);
        progress.SetRemoved(gone.Length);
        await patience.RunAsync(Index, index.MeasureSimilarityAsync, cancellationToken);
    }

    private static string[] Gone(ClaimedJob job, IReadOnlyList<JobDocument> documents, IReadOnlyDictionary<string, string> indexed, HashSet<string> drafts) =>
        job.Prune ? [.. indexed.Keys.Except(documents.Select(d => d.Path).Except(drafts, StringComparer.Ordinal), StringComparer.Ordinal)] : [];

    /// <summary>The documents that differ from the index or lack vectors, cut into passages. The others are counted.</summary>
    private async IAsyncEnumerable<IndexedDocument> ChangedAsync(
        ClaimedJob job, IReadOnlyList<JobDocument> documents, IReadOnlyDictionary<string, string> indexed, IReadOnlySet<string> unembedded, HashSet<string> drafts,
        Patience patience, JobProgress progress, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (var document in JobDocuments.ReadAsync(database, job.Id, documents, patience, cancellationToken))
        {
            IndexedDocument? cut = null;
            try
            {
                cut = Cut(document, indexed, unembedded, drafts, progress);
            }
            catch (DocumentException e)
            {
                progress.AddFailed(document.Path, e.Message);
            }

            if (cut is not null)
                yield return cut;
        }
    }

    private IndexedDocument? Cut(
        UploadedDocument document, IReadOnlyDictionary<string, string> indexed, IReadOnlySet<string> unembedded, HashSet<string> drafts, JobProgress progress)
    {
        if (document.Problem is not null)
            throw new DocumentException(document.Problem);

        var onSite = document.OnSite is { } json ? IngestJson.Read<DocumentOnSite>(json) : null;
        var (hash, isDraft) = chunker.Inspect(document.Path, document.Content, document.Title, document.Url, onSite);
        if (isDraft)
        {
            drafts.Add(document.Path);
            progress.AddDraft();
            return null;
        }

        if (indexed.GetValueOrDefault(document.Path) == hash && !unembedded.Contains(document.Path))
        {
            progress.AddUnchanged();
            return null;
        }

        var missing = new List<string>();
        var cut = chunker.Document(document.Path, document.Content, document.Title, document.Url, onSite, missing);
        foreach (var anchor in missing)
            progress.AddWarning(document.Path, $"The built site has no #{anchor}; the nearest heading above it is cited.");
        return cut;
    }

    private static async IAsyncEnumerable<IReadOnlyList<IndexedDocument>> GroupsAsync(
        IAsyncEnumerable<IndexedDocument> documents, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var group = new List<IndexedDocument>();
        await foreach (var document in documents.WithCancellation(cancellationToken))
        {
            if (group.Count > 0 && group.Sum(d => d.Chunks.Count + 1) + document.Chunks.Count > GroupPassages)
            {
                yield return group;
                group = [];
            }

            group.Add(document);
        }

        if (group.Count > 0)
            yield return group;
    }

    private async Task IndexAsync(
        IReadOnlyList<IndexedDocument> group, IReadOnlyDictionary<string, string> indexed, PassageEmbedder? embedder, Patience patience, JobProgress progress,
        CancellationToken cancellationToken)
    {
        var meanings = new Dictionary<Guid, ReadOnlyMemory<float>>();
        var refusals = new Dictionary<Guid, string>();
        if (embedder is not null)
            await EmbedAsync(group, embedder, meanings, refusals, patience, cancellationToken);

        foreach (var document in group)
        {
            // Its words are in the index, and there are still no vectors.
            if (indexed.GetValueOrDefault(document.Path) == document.ContentHash && !Keys(document).All(meanings.ContainsKey))
            {
                progress.AddUnchanged();
                continue;
            }

            await patience.RunAsync(Index, token => vectors.ReplaceAsync(document, meanings, token), cancellationToken);
            if (Keys(document).Select(key => refusals.GetValueOrDefault(key)).OfType<string>().ToArray() is [var why, ..] refused)
                progress.AddWarning(document.Path, $"Passages without a vector, which are found by their words alone: {refused.Length}. {why}");
            progress.AddIngested(document.Path, document.Chunks.Count);
        }
    }

    private async Task EmbedAsync(
        IReadOnlyList<IndexedDocument> group, PassageEmbedder embedder, Dictionary<Guid, ReadOnlyMemory<float>> meanings, Dictionary<Guid, string> refusals,
        Patience patience, CancellationToken cancellationToken)
    {
        var texts = new Dictionary<Guid, string>();
        foreach (var passage in group.SelectMany(Passage.Of))
            texts[passage.ContentKey(Model)] = passage.EmbeddedText;

        foreach (var known in await patience.RunAsync(Index, token => vectors.FindAsync(texts.Keys, withVectors: true, token), cancellationToken))
        {
            if (known.Vector is { } vector && texts.Remove(known.ContentKey))
                meanings[known.ContentKey] = vector;
        }

        var results = await embedder.EmbedAsync([.. texts.Values], cancellationToken);
        foreach (var (key, (vector, refusal)) in texts.Keys.Zip(results))
        {
            // A text that was refused has an empty vector, and is not sent again as long as its page does not change.
            if (refusal is not null)
                (refusals[key], meanings[key]) = (refusal, ReadOnlyMemory<float>.Empty);
            else if (vector.Length > 0)
                meanings[key] = vector;
        }
    }

    private async Task<IngestPlan> PlanAsync(
        IAsyncEnumerable<IndexedDocument> documents, IReadOnlyDictionary<string, string> indexed, Func<string[]> gone, Patience patience, JobProgress progress,
        CancellationToken cancellationToken)
    {
        var (added, changed, toEmbed) = (new List<string>(), new List<string>(), new HashSet<Guid>());
        // The indexed documents that hold most of an added one.
        var sources = new Dictionary<string, string[]>(StringComparer.Ordinal);
        await foreach (var document in documents)
        {
            Guid[] keys = [.. Keys(document).Distinct()];
            var known = await patience.RunAsync(Index, token => vectors.FindAsync(keys, withVectors: false, token), cancellationToken);
            toEmbed.UnionWith(keys.Except(known.Where(k => k.IsEmbedded).Select(k => k.ContentKey)));
            if (indexed.GetValueOrDefault(document.Path) == document.ContentHash)
            {
                // Only its vectors are missing.
                progress.AddUnchanged();
                continue;
            }

            if (indexed.ContainsKey(document.Path))
            {
                changed.Add(document.Path);
            }
            else
            {
                added.Add(document.Path);
                sources[document.Path] =
                [
                    .. known.DistinctBy(k => (k.Path, k.ContentKey)).CountBy(k => k.Path, StringComparer.Ordinal)
                        .Where(c => 2 * c.Value > keys.Length).OrderByDescending(c => c.Value).Select(c => c.Key),
                ];
            }

            progress.AddPlanned();
        }

        var removed = gone();
        var left = removed.ToHashSet(StringComparer.Ordinal);
        var moved = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var (path, from) in sources)
        {
            if (Array.Find(from, left.Remove) is { } source)
                moved[path] = source;
        }

        return IngestPlan.Of(added, changed, moved, removed, vectors.Embedder is null ? 0 : toEmbed.Count);
    }

    private string Model => vectors.Embedder?.Model ?? "";

    private IEnumerable<Guid> Keys(IndexedDocument document) => Passage.Of(document).Select(passage => passage.ContentKey(Model));
}
