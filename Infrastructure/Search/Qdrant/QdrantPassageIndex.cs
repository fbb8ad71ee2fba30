using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Search.Meaning;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>
/// The passage index in Qdrant: the results by meaning (dense vectors) and by words (BM25 as a sparse vector), fused by
/// <see cref="ScoreFusion"/>. Without an embedder, or if it fails, only words are searched.
/// </summary>
internal sealed class QdrantPassageIndex(
    QdrantClient client, QdrantSchema schema, QdrantDocuments documents, QdrantThreshold threshold, IEmbedder? embedder, ILogger<QdrantPassageIndex> log)
    : IPassageIndex, IPassageVectors
{
    public const string Dense = "dense";

    public const string Sparse = "bm25";

    /// <summary>The weight of at most this many terms is queried: whole words first, then the longest terms.</summary>
    private const int MaxWeighed = 32;

    private const int MaxHolders = 12;

    public IEmbedder? Embedder => embedder;

    public Task ReplaceAsync(IndexedDocument document, CancellationToken cancellationToken) =>
        documents.ReplaceAsync(document, async (generation, token) => Points(document, generation, await EmbedAsync(document, token)), cancellationToken);

    public Task ReplaceAsync(IndexedDocument document, IReadOnlyDictionary<Guid, ReadOnlyMemory<float>> vectors, CancellationToken cancellationToken) =>
        documents.ReplaceAsync(document, (generation, _) => Task.FromResult(Points(document, generation, vectors)), cancellationToken);

    public Task<IReadOnlyList<KnownPassage>> FindAsync(IReadOnlyCollection<Guid> contentKeys, bool withVectors, CancellationToken cancellationToken) =>
        documents.FindAsync(contentKeys, withVectors, cancellationToken);

    public Task<IReadOnlyList<HeldDocument>> ListAsync(CancellationToken cancellationToken) => documents.ListAsync(cancellationToken);

    public Task RemoveAsync(IReadOnlyCollection<string> paths, CancellationToken cancellationToken) => documents.RemoveAsync(paths, cancellationToken);

    public Task<IReadOnlyDictionary<string, string>> GetDocumentsAsync(CancellationToken cancellationToken) => documents.GetAsync(cancellationToken);

    public async Task<IReadOnlyList<(string Path, string Url)>> GetUrlsAsync(CancellationToken cancellationToken)
    {
        var all = await ReadPassagesAsync(new([QdrantFilter.Is(QdrantFields.Kind, QdrantFields.Passage)]), cancellationToken);
        return [.. all.Select(p => (p.DocumentPath, p.Url)).Distinct()];
    }

    public async Task MeasureSimilarityAsync(CancellationToken cancellationToken)
    {
        await threshold.MeasureAsync(cancellationToken);
        await documents.PublishAsync(cancellationToken);
    }

    public async Task<IReadOnlyList<Passage>> GetAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken)
    {
        if (ids.Count == 0)
            return [];
        return await ReadPassagesAsync(new([QdrantFilter.IsAny(QdrantFields.PassageId, ids)]), cancellationToken);
    }

    public Task<IReadOnlyList<OutlinedDocument>> GetOutlineAsync(CancellationToken cancellationToken) =>
        documents.GetOutlineAsync(cancellationToken);

    public async Task<IReadOnlyList<Passage>> GetFirstAsync(IReadOnlyCollection<string> paths, int most, CancellationToken cancellationToken)
    {
        if (paths.Count == 0 || most <= 0)
            return [];
        var filter = new QdrantFilter(
        [
            QdrantFilter.Is(QdrantFields.Kind, QdrantFields.Passage),
            QdrantFilter.IsAny(QdrantFields.Path, paths.Select(StoredText.Clean)),
            QdrantFilter.IsAny(QdrantFields.Position, Enumerable.Range(0, most)),
        ]);
        var found = await ReadPassagesAsync(filter, cancellationToken);
        return [.. found.OrderBy(p => p.DocumentPath, StringComparer.Ordinal).ThenBy(p => p.Position)];
    }

    public async Task<IReadOnlyList<Passage>> SearchAsync(PassageQuery query, CancellationToken cancellationToken)
    {
        var selection = Selection.Of(query.SelectedText);
        var question = new SpelledQuestion(query.Text);
        if (query.Limit <= 0 || (question.Terms.Length == 0 && selection is null))
            return [];

        var meaning = await EmbedAsync(query.Text, cancellationToken);
        if (!await schema.TakesAsync(meaning?.Length, cancellationToken))
            meaning = null;
        var search = new Search(question, meaning, selection, ReaderPage.Urls(query.PageUrl), query.Candidates);
        IReadOnlyList<Passage> found;
        try
        {
            found = await ReadAsync(token => FindAsync(search, token), cancellationToken);
        }
        catch (SearchException e) when (e.Status == StatusCodes.Status400BadRequest && meaning is not null)
        {
            // An ingest with another model may just have ended.
            if (await schema.TakesAgainAsync(meaning.Value.Length, cancellationToken))
                throw;
            search = search with { Meaning = null };
            found = await ReadAsync(token => FindAsync(search, token), cancellationToken);
        }

        var words = Spelling.Find(query.Text, search.IsUnknown);
        if (words.Count > 0 && Spelling.Correct(query.Text, words, (await KnownAsync(words, cancellationToken)).Contains) is { } corrected)
        {
            search = new(corrected, search.Meaning, selection, search.Pages, search.Candidates);
            found = await ReadAsync(token => FindAsync(search, token), cancellationToken);
        }

        found = Rank(found, search);
        return NearDuplicates.Cut(selection?.Order(found, query.Limit) ?? PassageLanguage.Prefer(found, query), query.Limit);
    }

    /// <summary>The terms of spellings that a word's best passages have. Each word has a query of its own, because the passages with the rarest
    /// spelling of one word would take the places of all others.</summary>
    private async Task<HashSet<string>> KnownAsync(IReadOnlyList<UnknownWord> words, CancellationToken cancellationToken)
    {
        var terms = words.Select(w => w.Spellings.Select(s => s.Term).Distinct().ToArray()).ToArray();
        var found = await client.QueryBatchAsync<QdrantPassage>(
            [
                .. terms.Select(word => new QdrantQuery
                {
                    Query = Bm25Vector.OfQuery(word.Select(t => new QueryTerm(t, 1))),
                    Using = Sparse,
                    Limit = MaxHolders,
                    WithPayload = false,
                    WithVector = [Sparse],
                }),
            ],
            cancellationToken);
        var known = found.SelectMany(best => best).SelectMany(r => r.Vector![Sparse].Indices).ToHashSet();
        return [.. terms.SelectMany(word => word).Where(t => known.Contains(Bm25Vector.IndexOf(t)))];
    }

    private Task<IReadOnlyList<Passage>> ReadPassagesAsync(QdrantFilter filter, CancellationToken cancellationToken) => ReadAsync(
        async token => [.. (await client.ScrollAsync<QdrantPassage>(filter, token)).Select(r => r.Payload!.ToPassage())], cancellationToken);

    /// <summary>Before the first ingest there is no collection, so the result is empty.</summary>
    private async Task<IReadOnlyList<Passage>> ReadAsync(
        Func<CancellationToken, Task<IReadOnlyList<Passage>>> read, CancellationToken cancellationToken)
    {
        try
        {
            return await documents.ReadAsync(read, cancellationToken);
        }
        catch (SearchException e) when (e.Status == StatusCodes.Status404NotFound)
        {
            return [];
        }
    }

    /// <summary>The vectors of a document's passages by their content keys; none without an embedder.</summary>
    private async Task<IReadOnlyDictionary<Guid, ReadOnlyMemory<float>>> EmbedAsync(IndexedDocument document, CancellationToken cancellationToken)
    {
        if (embedder is null)
            return new Dictionary<Guid, ReadOnlyMemory<float>>();
        var passages = Passage.Of(document).DistinctBy(p => p.ContentKey(embedder.Model)).ToArray();
        var vectors = await embedder.EmbedAsync([.. passages.Select(p => p.EmbeddedText)], cancellationToken);
        return passages.Zip(vectors).ToDictionary(p => p.First.ContentKey(embedder.Model), p => p.Second);
    }

    private IReadOnlyList<QdrantPoint> Points(IndexedDocument document, string generation, IReadOnlyDictionary<Guid, ReadOnlyMemory<float>> meanings) =>
    [
        .. Passage.Of(document).Select(passage =>
        {
            var vectors = new Dictionary<string, object> { [Sparse] = Bm25Vector.OfPassage(passage.Terms) };
            var key = passage.ContentKey(embedder?.Model ?? "");
            if (meanings.TryGetValue(key, out var meaning))
                vectors[Dense] = meaning;
            // The id depends on the generation, because writing an unchanged passage must not remove it from the old set.
            return new QdrantPoint(UuidVersion5.Create(passage.Id, generation), vectors, QdrantPassage.Of(passage, generation, key));
        }),
    ];

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

    /// <summary>Takes one round trip (up to three concurrent requests), and a second one for the neighbours of passages that hold the selection.</summary>
    private async Task<IReadOnlyList<Passage>> FindAsync(Search search, CancellationToken cancellationToken)
    {
        var queries = new List<QdrantQuery>();
        int? byWords = search.Terms.Length == 0 ? null : Add(new()
        {
            Query = Bm25Vector.OfQuery(search.Terms),
            Using = Sparse,
            Limit = search.ListLength,
            WithPayload = true,
        });
        int? byMeaning = search.Terms.Length == 0 || search.Meaning is not { } meaning
            ? null
            : Add(new() { Query = meaning, Using = Dense, Limit = search.ListLength, WithPayload = true });
        var weighed = search.Weighed.Select(term => (term, Place: Add(new()
        {
            Query = Bm25Vector.OfQuery([new(term, 1)]),
            Using = Sparse,
            Limit = 1,
            WithPayload = false,
            WithVector = [Sparse],
        }))).ToArray();
        var windows = search.Selection?.Windows.SelectMany(window => WindowQueries(window, search.Pages)).Select(Add).ToArray() ?? [];

        var asking = client.QueryBatchAsync<QdrantPassage>(queries, cancellationToken);
        var counting = client.EstimateCountAsync(new([QdrantFilter.Is(QdrantFields.Kind, QdrantFields.Passage)]), cancellationToken);
        var comparing = byMeaning is null ? Task.FromResult<(double?, bool)>(default) : threshold.GetAsync(search.Meaning!.Value.Length, cancellationToken);
        await Task.WhenAll(asking, counting, comparing);
        var answers = await asking;
        var (related, isOthers) = await comparing;
        if (isOthers)
            byMeaning = null;
        search.Weigh(weighed.Select(w => (w.term, answers[w.Place])), await counting);

        var found = new Dictionary<Guid, Passage>();
        foreach (var (id, passage) in Fuse(byWords is { } words ? answers[words] : [], byMeaning is { } nearest ? answers[nearest] : null, search.ListLength).Take(search.Candidates))
            found[id] = passage with { Nearness = passage.Similarity - related };
        foreach (var record in windows.SelectMany(place => answers[place]))
            found.TryAdd(record.Id, record.Payload!.ToPassage());
        if (search.Selection is { } selection)
        {
            MarkHolders(found, selection, search);
            foreach (var record in await NeighboursAsync(found.Values, cancellationToken))
                found.TryAdd(record.Id, record.Payload!.ToPassage());
        }

        return [.. found.Values];

        int Add(QdrantQuery query)
        {
            queries.Add(query);
            return queries.Count - 1;
        }
    }

    /// <summary>Best first.</summary>
    /// <param name="byMeaning">Null if only words were searched.</param>
    private static IEnumerable<KeyValuePair<Guid, Passage>> Fuse(
        IReadOnlyList<QdrantRecord<QdrantPassage>> byWords, IReadOnlyList<QdrantRecord<QdrantPassage>>? byMeaning, int limit)
    {
        if (byMeaning is null)
            return byWords.Select(r => KeyValuePair.Create(r.Id, r.Payload!.ToPassage() with { Score = r.Score }));

        var payloads = byWords.Concat(byMeaning).DistinctBy(r => r.Id).ToDictionary(r => r.Id, r => r.Payload!);
        // The similarity of a passage that is not in the list is low but unknown; it counts as 0.
        var similarity = byMeaning.ToDictionary(r => r.Id, r => r.Score);
        return ScoreFusion.Fuse([.. byWords.Select(r => (r.Id, r.Score))], [.. byMeaning.Select(r => (r.Id, r.Score))], limit)
            .Where(f => f.Value > 0)
            .OrderByDescending(f => f.Value)
            .Select(f => KeyValuePair.Create(f.Key, payloads[f.Key].ToPassage() with { Score = f.Value, Similarity = similarity.GetValueOrDefault(f.Key) }));
    }

    /// <summary>Queries for the passages with most of a window's terms: in the book, and on the reader's page.</summary>
    private static IEnumerable<QdrantQuery> WindowQueries(string[] window, string[] pages)
    {
        var query = new QdrantQuery { Query = Bm25Vector.OfQuery(window.Select(term => new QueryTerm(term, 1))), Using = Sparse, Limit = MaxHolders, WithPayload = true };
        yield return query;
        if (pages.Length > 0)
            yield return query with { Filter = new([QdrantFilter.IsAny(QdrantFields.PageUrl, pages)]) };
    }

    /// <summary>Marks the best passages that may hold the selection.</summary>
    private static void MarkHolders(Dictionary<Guid, Passage> found, Selection selection, Search search)
    {
        var page = search.PageOf(found.Values);
        var holders = found
            .Select(f => (f.Key, Passage: f.Value, Share: selection.Windows.Max(window => window.Count(f.Value.Terms.Frequencies.ContainsKey) / (double)window.Length)))
            .Where(h => h.Share >= Selection.EnoughOfWindow)
            .Select(h => (h.Key, Passage: h.Passage with { Holds = (int)(1000 * h.Share) }))
            .OrderByDescending(h => h.Passage.Page == page).ThenByDescending(h => h.Passage.Holds).ThenByDescending(h => h.Passage.Score)
            .Take(MaxHolders);
        foreach (var (id, passage) in holders.ToList())
            found[id] = passage;
    }

    /// <summary>Reads the passages before and after those that may hold the selection.</summary>
    private async Task<IReadOnlyList<QdrantRecord<QdrantPassage>>> NeighboursAsync(IEnumerable<Passage> found, CancellationToken cancellationToken)
    {
        var places = found.Where(p => p.HoldsSelection).GroupBy(p => (p.DocumentPath, p.Generation)).Select(document => new QdrantFilter(
        [
            QdrantFilter.Is(QdrantFields.Path, document.Key.DocumentPath),
            QdrantFilter.Is(QdrantFields.Generation, document.Key.Generation!),
            QdrantFilter.IsAny(QdrantFields.Position, document.SelectMany(p => (int[])[p.Position - 1, p.Position + 1]).Where(p => p >= 0).Distinct()),
        ])).ToList();
        return places.Count == 0 ? [] : await client.ScrollAsync<QdrantPassage>(new(Should: places), cancellationToken);
    }

    private static List<Passage> Rank(IReadOnlyList<Passage> found, Search search)
    {
        var page = search.PageOf(found);
        return
        [
            .. search.Cover(found)
                .Select(p => (Passage: p with { Score = p.Score * (p.Page == page ? ReaderPage.Lift : 1) }, IsOnPage: p.Page == page))
                // A nearest passage always exists. One that shares no word with the question is unrelated, unless it is near.
                .Where(f => f.Passage.Score == 0 || f.Passage.Coverage > 0 || f.Passage.Nearness is not < 0)
                // If text is selected, the reader's page comes first, whatever the scores are. The index in PostgreSQL does the same.
                .OrderByDescending(f => search.Selection is not null && f.IsOnPage)
                .ThenByDescending(f => f.Passage.Score)
                .ThenByDescending(f => f.IsOnPage)
                .ThenBy(f => f.Passage.DocumentPath, StringComparer.Ordinal)
                .ThenBy(f => f.Passage.Position)
                .Select(f => f.Passage),
        ];
    }

    private sealed record Search(SpelledQuestion Question, ReadOnlyMemory<float>? Meaning, Selection? Selection, string[] Pages, int Candidates)
    {
        private Dictionary<string, double?> _rarities = [];
        private double _passageCount;

        public QueryTerm[] Terms => Question.Terms;

        /// <summary>The most passages of each list: by words and by meaning.</summary>
        public int ListLength => Meaning is null ? Candidates : Math.Max(Candidates, ScoreFusion.ListLength);

        public IEnumerable<string> Weighed => Terms.Take(MaxWeighed).Select(t => t.Term);

        /// <summary>Sets the inverse document frequencies, which Qdrant does not report: the score of a one-term query's best passage is this
        /// frequency times the passage's own value.</summary>
        public void Weigh(IEnumerable<(string Term, IReadOnlyList<QdrantRecord<QdrantPassage>> Best)> terms, double passageCount)
        {
            _passageCount = passageCount;
            _rarities = terms.ToDictionary(
                t => t.Term, t => t.Best is [{ Vector: { } vectors } best] && ValueOf(t.Term, vectors) is > 0 and var value ? best.Score / value : (double?)null);
        }

        public bool IsUnknown(string term) => _rarities.TryGetValue(term, out var rarity) && rarity is null;

        public IReadOnlyList<Passage> Cover(IReadOnlyList<Passage> found)
        {
            var coverage = new Coverage(Question, [.. found.Select(p => p.Terms)], _rarities, _passageCount);
            return [.. found.Select(passage => passage with { Coverage = coverage.Of(passage.Terms) })];
        }

        /// <summary>The address of the reader's page if any passage is on it, else null.</summary>
        public string? PageOf(IEnumerable<Passage> found) =>
            Pages.Intersect(found.Select(p => p.Page), StringComparer.Ordinal).MaxBy(url => url.Length);

        private static float? ValueOf(string term, IReadOnlyDictionary<string, QdrantSparse> vectors)
        {
            if (!vectors.TryGetValue(Sparse, out var sparse))
                return null;
            var place = sparse.Indices.ToList().IndexOf(Bm25Vector.IndexOf(term));
            return place < 0 ? null : sparse.Values[place];
        }
    }
}
