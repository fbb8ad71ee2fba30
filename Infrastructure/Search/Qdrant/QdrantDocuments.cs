using System.Collections.Concurrent;
using System.Diagnostics;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>
/// Replaces documents atomically. Qdrant has no transactions, but an update of one point is atomic: each document has
/// a point that names its current generation, and searches ignore passages of other generations.
/// <list type="number">
/// <item>The document is marked incomplete (no content hash). If the process dies after this, the next ingest repairs the document.</item>
/// <item>The new passages are written next to the old ones, under new ids, and counted.</item>
/// <item>The document's point is set to the new generation. Searches now return the new set.</item>
/// <item>The old passages are deleted, the rest is counted, and the content hash is written. This step and the one before it write a new
/// revision of the book (<see cref="QdrantBook"/>).</item>
/// </list>
/// Within a process, changes of one document are serialized. Two processes that replace one document at the same time may
/// delete each other's passages. The counts detect that, and the document stays incomplete until the next ingest.
/// </summary>
internal sealed class QdrantDocuments(QdrantClient client, QdrantCollections collections, IEmbedder? embedder, ILogger<QdrantDocuments> log) : IDisposable
{
    /// <summary>A document that still changes after this many reads is returned as last read.</summary>
    private const int MaxReads = 32;

    private const int MaxPathsInFilter = 100;

    internal static readonly Guid Namespace = UuidVersion5.Create(new("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), "chatbackend.qdrant");

    private readonly ConcurrentDictionary<string, (Guid Revision, long Since)> _seen = new(StringComparer.Ordinal);
    private readonly SemaphoreSlim[] _turns = [.. Enumerable.Range(0, 16).Select(_ => new SemaphoreSlim(1, 1))];

    private string Model => embedder?.Model ?? "";

    /// <param name="isEmbedded">Whether all points have vectors of the embedder's model.</param>
    /// <param name="points">Creates the points of a generation; not called for an unchanged document.</param>
    public async Task ReplaceAsync(
        IndexedDocument document, bool isEmbedded, Func<string, CancellationToken, Task<IReadOnlyList<QdrantPoint>>> points, CancellationToken cancellationToken)
    {
        var path = StoredText.Clean(document.Path);
        var model = isEmbedded ? Model : "";
        var generation = UuidVersion5.Create(
            Namespace, string.Join('\n', path, document.ContentHash, document.Title, document.Url, TextAnalyzer.Version, model)).ToString();
        var turn = _turns[TurnOf(path)];
        await turn.WaitAsync(cancellationToken);
        try
        {
            var written = await collections.EnsureWrittenAsync(cancellationToken);
            var marker = (await FindAsync(written, [path], cancellationToken)).GetValueOrDefault(path);
            if (marker is { IsComplete: true } && marker.Generation == generation)
                return;

            var fresh = await points(generation, cancellationToken);
            var incomplete = new QdrantDocument(path, marker?.Generation ?? "", marker?.Revision ?? Guid.NewGuid(), "", TextAnalyzer.Version, model)
            {
                Outlined = marker?.Outlined,
                Passages = marker?.Passages ?? 0,
                IngestedAt = marker?.IngestedAt ?? default,
            };
            await written.UpsertAsync([Point(incomplete)], cancellationToken);
            foreach (var batch in fresh.Chunk(QdrantClient.MaxPoints))
                await written.UpsertAsync(batch, cancellationToken);
            await RequireCountAsync(written, path, generation, fresh.Count, cancellationToken);

            var live = incomplete with
            {
                Generation = generation,
                Revision = Guid.NewGuid(),
                Outlined = new(path, StoredText.Clean(document.Title), StoredText.Clean(document.Url), document.Outline),
                Passages = fresh.Count,
                IngestedAt = TimeProvider.System.GetUtcNow().UtcDateTime,
            };
            await written.UpdateBatchAsync(
                [
                    new() { Upsert = new { Points = new[] { Point(live), QdrantBook.Changed() } } },
                    new() { Delete = new { Filter = OthersThan(path, generation) } },
                ],
                cancellationToken);
            await RequireCountAsync(written, path, generation, fresh.Count, cancellationToken);
            await written.UpsertAsync([Point(live with { ContentHash = document.ContentHash }), QdrantBook.Changed()], cancellationToken);
        }
        catch (SearchException e) when (e.Status == StatusCodes.Status404NotFound)
        {
            // The collection was deleted in the meantime; the next document creates it again.
            collections.Forget();
            throw;
        }
        finally
        {
            turn.Release();
        }
    }

    public async Task<IReadOnlyList<KnownPassage>> FindAsync(IReadOnlyCollection<Guid> contentKeys, bool withVectors, CancellationToken cancellationToken)
    {
        // Also makes the index of the content keys, without which Qdrant Cloud refuses to filter by them.
        var written = await collections.EnsureWrittenAsync(cancellationToken);
        var found = new List<KnownPassage>();
        foreach (var keys in contentKeys.Chunk(QdrantClient.MaxPoints))
        {
            await foreach (var point in written.ScrollWithVectorsAsync<QdrantPassage>(
                new([QdrantFilter.IsAny(QdrantFields.ContentKey, keys)]), withVectors ? QdrantPassageIndex.Dense : null, cancellationToken))
                found.Add(new(point.Payload!.ContentKey, point.Payload.Path, point.Vector?.GetValueOrDefault(QdrantPassageIndex.Dense)));
        }

        return found;
    }

    /// <summary>Hides the documents first, then deletes their passages and their own points.</summary>
    public async Task RemoveAsync(IReadOnlyCollection<string> paths, CancellationToken cancellationToken)
    {
        foreach (var some in paths.Select(StoredText.Clean).Distinct().Chunk(MaxPathsInFilter))
        {
            // A fixed order prevents deadlocks between two removals.
            var turns = some.Select(TurnOf).Distinct().Order().Select(number => _turns[number]).ToArray();
            var taken = 0;
            try
            {
                for (; taken < turns.Length; taken++)
                    await turns[taken].WaitAsync(cancellationToken);
                if (await collections.FindAsync(cancellationToken) is { } found)
                {
                    await RemoveSomeAsync(found.Written, some, cancellationToken);
                    if (found.Answering.Collection != found.Written.Collection)
                        await RemoveSomeAsync(found.Answering, some, cancellationToken);
                }
            }
            catch (SearchException e) when (e.Status == StatusCodes.Status404NotFound)
            {
                // There is no collection, so there is nothing to remove.
                return;
            }
            finally
            {
                foreach (var turn in turns.Take(taken))
                    turn.Release();
            }
        }
    }

    /// <summary>The hash is empty if the document is incomplete, if another analyzer indexed it, or only the collection of another model has it.</summary>
    public async Task<IReadOnlyDictionary<string, string>> GetAsync(CancellationToken cancellationToken)
    {
        if (await collections.FindAsync(cancellationToken) is not var (answering, written))
            return new Dictionary<string, string>();
        var documents = await HashesAsync(written, cancellationToken);
        if (answering.Collection != written.Collection)
        {
            foreach (var path in (await HashesAsync(answering, cancellationToken)).Keys)
                documents.TryAdd(path, "");
        }

        return documents;
    }

    /// <summary>The documents that were written without vectors.</summary>
    public async Task<IReadOnlySet<string>> ListUnembeddedAsync(CancellationToken cancellationToken)
    {
        if (embedder is null || await collections.FindAsync(cancellationToken) is not var (_, written))
            return new HashSet<string>();
        return (await DocumentsAsync(written, cancellationToken)).Where(d => d.EmbeddingModel.Length == 0).Select(d => d.Path).ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Lets the collection of a new model answer once it has every document of the old one. To be called after each ingest.</summary>
    public async Task PublishAsync(CancellationToken cancellationToken)
    {
        if (await collections.FindAsync(cancellationToken) is not var (answering, written))
            return;
        var isMoving = answering.Collection != written.Collection;
        var missing = isMoving ? (await GetAsync(cancellationToken)).Count(d => d.Value.Length == 0) + (await ListUnembeddedAsync(cancellationToken)).Count : 0;
        if (missing == 0)
        {
            if (isMoving)
                await collections.MoveAsync(written, cancellationToken);
            // A process without an embedder writes the collection that answers, and another one may be filling the next.
            if (embedder is not null)
                await collections.DeleteOthersAsync(written, cancellationToken);
        }
        else
        {
            log.LogWarning("{Documents} documents are not embedded with {Model} yet: the old vectors answer until the whole book is ingested", missing, Model);
        }
    }

    private async Task<Dictionary<string, string>> HashesAsync(QdrantClient of, CancellationToken cancellationToken)
    {
        // A process without an embedder writes documents without vectors, and keeps the vectors that others wrote.
        return (await DocumentsAsync(of, cancellationToken)).ToDictionary(
            d => d.Path,
            d => d.AnalyzerVersion == TextAnalyzer.Version && (embedder is null || d.EmbeddingModel == Model || d.EmbeddingModel.Length == 0) ? d.ContentHash : "",
            StringComparer.Ordinal);
    }

    private static async Task<IEnumerable<QdrantDocument>> DocumentsAsync(QdrantClient of, CancellationToken cancellationToken) =>
        (await of.ScrollAsync<QdrantDocument>(new([QdrantFilter.Is(QdrantFields.Kind, QdrantFields.Document)]), cancellationToken)).Select(d => d.Payload!);

    public async Task<IReadOnlyList<OutlinedDocument>> GetOutlineAsync(CancellationToken cancellationToken) =>
        [.. (await GetPublishedAsync(cancellationToken)).Select(d => d.Outlined).OfType<OutlinedDocument>()];

    public async Task<IReadOnlyList<HeldDocument>> ListAsync(CancellationToken cancellationToken) =>
    [
        .. (await GetPublishedAsync(cancellationToken)).Select(d => new HeldDocument(d.Path, d.Outlined?.Title ?? "", d.Outlined?.Url ?? "", d.Passages, d.IngestedAt)),
    ];

    private async Task<IReadOnlyList<QdrantDocument>> GetPublishedAsync(CancellationToken cancellationToken)
    {
        try
        {
            return [.. (await DocumentsAsync(client, cancellationToken)).Where(d => d.Generation.Length > 0)];
        }
        catch (SearchException e) when (e.Status == StatusCodes.Status404NotFound)
        {
            return [];
        }
    }

    /// <summary>The result of a read without passages of other generations. The read is repeated while a document's revision
    /// changes or was not known before it: only the same revision before and after means that the passages are complete.</summary>
    /// <param name="read">Groups of passages, which are completed one after the other until there are enough. Passages without text get it.</param>
    /// <param name="choose">What of the passages so far is returned.</param>
    /// <param name="enough">How many are enough; null if all groups are wanted.</param>
    public async Task<IReadOnlyList<Passage>> ReadAsync(
        Func<CancellationToken, Task<IReadOnlyList<Passage[]>>> read, Func<IReadOnlyList<Passage>, IReadOnlyList<Passage>> choose, int? enough, CancellationToken cancellationToken)
    {
        for (var left = MaxReads - 1; ; left--)
        {
            var started = Stopwatch.GetTimestamp();
            var whole = new List<Passage>();
            IReadOnlyList<Passage> chosen = [];
            var isStill = true;
            foreach (var group in await read(cancellationToken))
            {
                isStill &= await CompleteAsync(group, whole, started, cancellationToken);
                chosen = choose(whole);
                if (!isStill || chosen.Count >= enough)
                    break;
            }

            if (isStill || left == 0)
                return chosen;
        }
    }

    /// <summary>Reads the documents of some passages, and in the same request the texts that are missing.</summary>
    /// <param name="whole">Gets the complete ones.</param>
    /// <param name="started">When the read of the passages began.</param>
    private async Task<bool> CompleteAsync(Passage[] passages, List<Passage> whole, long started, CancellationToken cancellationToken)
    {
        if (passages.Length == 0)
            return true;
        var paths = passages.Select(p => p.DocumentPath).Distinct(StringComparer.Ordinal).ToArray();
        var ids = passages.Select(p => p.Text.Length == 0 ? QdrantPassage.PointOf(p, p.Generation!) : Guid.Empty).ToArray();
        var found = await client.RetrieveAsync([.. paths.Select(IdOf), .. ids.Where(id => id != Guid.Empty)], cancellationToken, QdrantFields.Outlined);
        var documents = found.Select(r => r.Payload).OfType<QdrantDocument>().ToDictionary(d => d.Path, StringComparer.Ordinal);
        var texts = found.Where(r => r.Payload is QdrantPassage).ToDictionary(r => r.Id, r => ((QdrantPassage)r.Payload!).ToPassage());

        var isStill = true;
        foreach (var path in paths)
        {
            var revision = documents.GetValueOrDefault(path)?.Revision ?? Guid.Empty;
            var seen = _seen.AddOrUpdate(
                path,
                _ => (revision, Stopwatch.GetTimestamp()),
                (_, before) => before.Revision == revision ? before : (revision, Stopwatch.GetTimestamp()));
            isStill &= seen.Since <= started;
        }

        foreach (var (passage, id) in passages.Zip(ids).Where(p => documents.GetValueOrDefault(p.First.DocumentPath)?.Generation == p.First.Generation))
            if (id == Guid.Empty)
                whole.Add(passage);
            else if (texts.TryGetValue(id, out var text))
                whole.Add(passage with { Title = text.Title, HeadingPath = text.HeadingPath, Text = text.Text });
            else
                isStill = false;
        return isStill;
    }

    public void Dispose()
    {
        foreach (var turn in _turns)
            turn.Dispose();
    }

    private static async Task RemoveSomeAsync(QdrantClient from, string[] paths, CancellationToken cancellationToken)
    {
        var ofPaths = QdrantFilter.IsAny(QdrantFields.Path, paths);
        var documents = new QdrantFilter([QdrantFilter.Is(QdrantFields.Kind, QdrantFields.Document), ofPaths]);
        var passages = new QdrantFilter([QdrantFilter.Is(QdrantFields.Kind, QdrantFields.Passage), ofPaths]);
        await from.UpdateBatchAsync(
            [
                new() { SetPayload = new { Payload = new { Generation = "", Revision = Guid.NewGuid(), ContentHash = "" }, Filter = documents } },
                new() { Delete = new { Filter = passages } },
                new() { Delete = new { Filter = documents } },
                new() { Upsert = new { Points = new[] { QdrantBook.Changed() } } },
            ],
            cancellationToken);
    }

    private int TurnOf(string path) => (int)((uint)path.GetHashCode(StringComparison.Ordinal) % _turns.Length);

    private static Guid IdOf(string path) => UuidVersion5.Create(Namespace, path);

    private static QdrantPoint Point(QdrantDocument document) => new(IdOf(document.Path), new Dictionary<string, object>(), document);

    private static QdrantFilter OthersThan(string path, string generation) => new(
        [QdrantFilter.Is(QdrantFields.Kind, QdrantFields.Passage), QdrantFilter.Is(QdrantFields.Path, path)],
        MustNot: [QdrantFilter.Is(QdrantFields.Generation, generation)]);

    private static async Task<Dictionary<string, QdrantDocument>> FindAsync(QdrantClient from, string[] paths, CancellationToken cancellationToken)
    {
        if (paths.Length == 0)
            return [];
        var found = await from.RetrieveAsync([.. paths.Select(IdOf)], cancellationToken);
        return found.Select(d => (QdrantDocument)d.Payload!).ToDictionary(d => d.Path, StringComparer.Ordinal);
    }

    private static async Task RequireCountAsync(QdrantClient written, string path, string generation, int expected, CancellationToken cancellationToken)
    {
        var count = await written.CountAsync(
            new([QdrantFilter.Is(QdrantFields.Path, path), QdrantFilter.Is(QdrantFields.Generation, generation), QdrantFilter.Is(QdrantFields.Kind, QdrantFields.Passage)]),
            cancellationToken);
        if (count != expected)
            throw new SearchException(isUnavailable: true, "The search index lost passages of a page. Ingest it again.");
    }
}
