using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>
/// The passage index in Qdrant: the results by meaning (dense vectors) and by words (BM25 as a sparse vector), fused by
/// reciprocal rank. Without an embedder, or if it fails, only words are searched.
/// </summary>
internal sealed class QdrantPassageIndex(QdrantClient client, QdrantDocuments documents, IEmbedder? embedder, ILogger<QdrantPassageIndex> log)
    : IPassageIndex
{
    public const string Dense = "dense";

    public const string Sparse = "bm25";

    /// <summary><see cref="ReaderPage.Lift"/> for fused scores: it lifts the second rank (1/3) to the score of the first (1/2).</summary>
    private const double FusedPageLift = 1.5;

    /// <summary>The weight of at most this many terms is queried: whole words first, then the longest terms.</summary>
    private const int MaxWeighed = 32;

    private const int MaxHolders = 12;

    /// <summary>A passage that shares no word with the question and is less similar than this is unrelated. A nearest neighbour always exists.</summary>
    private const double Unrelated = 0.25;

    public async Task ReplaceAsync(IndexedDocument document, CancellationToken cancellationToken) =>
        await documents.ReplaceAsync(document, (generation, token) => PointsAsync(document, generation, token), cancellationToken);

    public Task RemoveAsync(IReadOnlyCollection<string> paths, CancellationToken cancellationToken) => documents.RemoveAsync(paths, cancellationToken);

    public Task<IReadOnlyDictionary<string, string>> GetDocumentsAsync(CancellationToken cancellationToken) => documents.GetAsync(cancellationToken);

    public async Task<IReadOnlyList<Passage>> GetAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken)
    {
        if (ids.Count == 0)
            return [];
        var found = await OrNothingAsync(() => documents.ReadAsync(
            async token => (IReadOnlyList<QdrantPassage>)[.. (await client.ScrollAsync<QdrantPassage>(
                new([QdrantFilter.IsAny(QdrantFields.PassageId, ids)]), token)).Select(r => r.Payload!)],
            passage => passage, cancellationToken));
        return [.. found.Select(p => p.ToPassage())];
    }

    public async Task<IReadOnlyList<Passage>> SearchAsync(PassageQuery query, CancellationToken cancellationToken)
    {
        var terms = QueryTerms.Of(query.Text);
        var selection = Selection.Of(query.SelectedText);
        if (query.Limit <= 0 || (terms.Length == 0 && selection is null))
            return [];

        var search = new Search(terms, await EmbedAsync(query.Text, cancellationToken), selection, ReaderPage.Urls(query.PageUrl), query.Candidates);
        var hits = await OrNothingAsync(() => documents.ReadAsync(token => FindAsync(search, token), hit => hit.Stored, cancellationToken));
        var found = Rank(hits, search);
        return NearDuplicates.Cut(selection?.Order(found, query.Limit) ?? found, query.Limit);
    }

    /// <summary>Before the first ingest there is no collection, so the result is empty.</summary>
    private static async Task<IReadOnlyList<T>> OrNothingAsync<T>(Func<Task<IReadOnlyList<T>>> read)
    {
        try
        {
            return await read();
        }
        catch (SearchException e) when (e.Status == StatusCodes.Status404NotFound)
        {
            return [];
        }
    }

    private async Task<IReadOnlyList<QdrantPoint>> PointsAsync(IndexedDocument document, string generation, CancellationToken cancellationToken)
    {
        var passages = Passage.Of(document);
        var meanings = embedder is null ? null : await embedder.EmbedAsync([.. passages.Select(p => $"{string.Join(" › ", p.HeadingPath)}\n\n{p.Text}")], cancellationToken);

        return [.. passages.Select((passage, i) =>
        {
            var vectors = new Dictionary<string, object> { [Sparse] = Bm25Vector.OfPassage(passage.Terms) };
            if (meanings is not null)
                vectors[Dense] = meanings[i];
            // The id depends on the generation, because writing an unchanged passage must not remove it from the old set.
            return new QdrantPoint(UuidVersion5.Create(passage.Id, generation), vectors, QdrantPassage.Of(passage, document.Url, generation));
        })];
    }

    private async Task<ReadOnlyMemory<float>?> EmbedAsync(string text, CancellationToken cancellationToken)
    {
        if (embedder is null || string.IsNullOrWhiteSpace(text))
            return null;
        try
        {
            return (await embedder.EmbedAsync([text], cancellationToken))[0];
        }
        catch (ModelException e)
        {
            log.LogWarning("The question could not be embedded ({Code}); searching with its words alone", e.Code);
            return null;
        }
    }

    /// <summary>Takes one round trip (two concurrent requests), and a second one for the neighbours of passages that hold the selection.</summary>
    private async Task<IReadOnlyList<Hit>> FindAsync(Search search, CancellationToken cancellationToken)
    {
        var queries = new List<QdrantQuery>();
        var ranked = -1;
        var nearest = -1;
        if (search.Terms.Length > 0)
        {
            var byWords = new QdrantQuery { Query = Bm25Vector.OfQuery(search.Terms), Using = Sparse, Limit = search.Candidates };
            if (search.Meaning is not { } meaning)
            {
                ranked = Add(byWords with { WithPayload = true });
            }
            else
            {
                var byMeaning = new QdrantQuery { Query = meaning, Using = Dense, Limit = search.Candidates };
                ranked = Add(new() { Prefetch = [byMeaning, byWords], Query = new { Fusion = "rrf" }, Limit = search.Candidates, WithPayload = true });
                // Fusion returns ranks only; the similarity decides whether a passage is related at all.
                nearest = Add(byMeaning with { WithPayload = false });
            }
        }

        var weighed = search.Weighed.Select(term => (term, Place: Add(new()
        {
            Query = Bm25Vector.OfQuery([new(term, 1, 1)]),
            Using = Sparse,
            Limit = 1,
            WithPayload = false,
            WithVector = [Sparse],
        }))).ToArray();
        var windows = search.Selection?.Windows.SelectMany(window => WindowQueries(window, search.Pages)).Select(Add).ToArray() ?? [];

        var asking = client.QueryBatchAsync<QdrantPassage>(queries, cancellationToken);
        var counting = client.CountAsync(new([QdrantFilter.Is(QdrantFields.Kind, QdrantFields.Passage)]), cancellationToken);
        await Task.WhenAll(asking, counting);
        var answers = await asking;
        search.Weigh(weighed.Select(w => (w.term, answers[w.Place])), await counting);

        var similarity = nearest < 0 || !HasMeaningfulScores ? null : answers[nearest].ToDictionary(r => r.Id, r => r.Score);
        var hits = new Dictionary<Guid, Hit>();
        if (ranked >= 0)
            foreach (var record in answers[ranked])
                hits[record.Id] = new(record.Payload!, record.Score, similarity is null ? null : similarity.GetValueOrDefault(record.Id));
        foreach (var record in windows.SelectMany(place => answers[place]))
            hits.TryAdd(record.Id, new(record.Payload!));
        foreach (var record in await NeighboursAsync(hits, search, cancellationToken))
            hits.TryAdd(record.Id, new(record.Payload!));
        return [.. hits.Values];

        int Add(QdrantQuery query)
        {
            queries.Add(query);
            return queries.Count - 1;
        }
    }

    /// <summary>Queries for the passages with most of a window's terms: in the book, and on the reader's page.</summary>
    private static IEnumerable<QdrantQuery> WindowQueries(string[] window, string[] pages)
    {
        var query = new QdrantQuery { Query = Bm25Vector.OfQuery(window.Select(term => new QueryTerm(term, 1, 1))), Using = Sparse, Limit = MaxHolders, WithPayload = true };
        yield return query;
        if (pages.Length > 0)
            yield return query with { Filter = new([QdrantFilter.IsAny(QdrantFields.PageUrl, pages)]) };
    }

    /// <summary>Marks the hits that may hold the selection, and reads the passages before and after them.</summary>
    private async Task<IReadOnlyList<QdrantRecord<QdrantPassage>>> NeighboursAsync(Dictionary<Guid, Hit> hits, Search search, CancellationToken cancellationToken)
    {
        if (search.Selection is not { } selection)
            return [];
        foreach (var hit in hits.Values)
        {
            var share = selection.Windows.Max(window => window.Count(hit.Passage.Terms.Frequencies.ContainsKey) / (double)window.Length);
            if (share >= Selection.EnoughOfWindow)
                hit.Passage = hit.Passage with { Holds = (int)(1000 * share) };
        }

        var page = search.PageOf(hits.Values);
        var holders = hits.Values.Where(h => h.Passage.HoldsSelection)
            .OrderByDescending(h => h.Stored.PageUrl == page).ThenByDescending(h => h.Passage.Holds).ThenByDescending(h => h.Passage.Score).ToList();
        foreach (var hit in holders.Skip(MaxHolders))
            hit.Passage = hit.Passage with { Holds = null };
        if (holders.Count == 0)
            return [];

        return await client.ScrollAsync<QdrantPassage>(
            new(Should: [.. holders.Take(MaxHolders).GroupBy(h => (h.Stored.Path, h.Stored.Generation)).Select(document => new QdrantFilter(
                [
                    QdrantFilter.Is(QdrantFields.Path, document.Key.Path),
                    QdrantFilter.Is(QdrantFields.Generation, document.Key.Generation),
                    QdrantFilter.IsAny(QdrantFields.Position, document.SelectMany(h => (int[])[h.Stored.Position - 1, h.Stored.Position + 1]).Where(p => p >= 0).Distinct()),
                ]))]),
            cancellationToken);
    }

    private static List<Passage> Rank(IReadOnlyList<Hit> hits, Search search)
    {
        var page = search.PageOf(hits);
        var lift = search.Meaning is null ? ReaderPage.Lift : FusedPageLift;
        return
        [
            .. hits
                .Select(hit => (hit.Passage, IsOnPage: page is not null && hit.Stored.PageUrl == page, Coverage: search.Cover(hit.Passage.Terms)))
                .Where(h => h.Passage.Score == 0 || h.Coverage > 0 || h.Passage.Similarity is not < Unrelated)
                .Select(h => (h.IsOnPage, Passage: h.Passage with { Score = h.Passage.Score * (h.IsOnPage ? lift : 1), Coverage = h.Coverage }))
                // If text is selected, the reader's page comes first, whatever the scores are. The index in PostgreSQL does the same.
                .OrderByDescending(h => search.Selection is not null && h.IsOnPage)
                .ThenByDescending(h => h.Passage.Score)
                .ThenByDescending(h => h.IsOnPage)
                .ThenBy(h => h.Passage.DocumentPath, StringComparer.Ordinal)
                .ThenBy(h => h.Passage.Position)
                .Select(h => h.Passage),
        ];
    }

    /// <summary>The cosine of unrelated texts depends on the model. It is known for this family only.</summary>
    private bool HasMeaningfulScores => embedder?.Model.StartsWith("text-embedding-3", StringComparison.Ordinal) == true;

    private sealed class Hit(QdrantPassage stored, double score = 0, double? similarity = null)
    {
        public QdrantPassage Stored { get; } = stored;

        public Passage Passage { get; set; } = stored.ToPassage() with { Score = score, Similarity = similarity };
    }

    private sealed record Search(QueryTerm[] Terms, ReadOnlyMemory<float>? Meaning, Selection? Selection, string[] Pages, int Candidates)
    {
        private Dictionary<string, (double Worth, bool IsKnown)> _weights = [];

        public IEnumerable<string> Weighed => Terms.Take(MaxWeighed).Select(t => t.Term);

        /// <summary>Sets the inverse document frequencies, which Qdrant does not report: the score of a one-term query's best passage is this
        /// frequency times the passage's own value. A term that no passage has weighs most: it lowers every passage's coverage.</summary>
        public void Weigh(IEnumerable<(string Term, IReadOnlyList<QdrantRecord<QdrantPassage>> Best)> terms, double passages)
        {
            var unknown = Math.Log(1 + ((passages + 0.5) / 0.5));
            var shares = Terms.ToDictionary(t => t.Term, t => t.Share);
            _weights = terms.ToDictionary(t => t.Term, t => t.Best is [{ Vector: { } vectors } best] && ValueOf(t.Term, vectors) is > 0 and var value
                ? (shares[t.Term] * best.Score / value, true)
                : (shares[t.Term] * unknown, false));
        }

        public double Cover(AnalyzedText terms)
        {
            var covered = terms.Frequencies.Keys.Sum(t => _weights.GetValueOrDefault(t).Worth);
            var all = _weights.Values.Sum(w => w.IsKnown ? QueryTerms.Elsewhere * w.Worth : w.Worth) + ((1 - QueryTerms.Elsewhere) * covered);
            return all > 0 ? covered / all : 0;
        }

        /// <summary>The address of the reader's page if any hit is on it, else null.</summary>
        public string? PageOf(IEnumerable<Hit> hits) =>
            Pages.Intersect(hits.Select(h => h.Stored.PageUrl), StringComparer.Ordinal).MaxBy(url => url.Length);

        private static float? ValueOf(string term, IReadOnlyDictionary<string, QdrantSparse> vectors)
        {
            if (!vectors.TryGetValue(Sparse, out var sparse))
                return null;
            var place = sparse.Indices.ToList().IndexOf(Bm25Vector.IndexOf(term));
            return place < 0 ? null : sparse.Values[place];
        }
    }
}
