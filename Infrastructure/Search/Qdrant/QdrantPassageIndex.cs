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

    /// <summary>How many more passages than wanted are read at first, because near-duplicates are dropped.</summary>
    private const int Spare = 3;

    private volatile QdrantWeights? _weights;

    public IEmbedder? Embedder => embedder;

    public Task ReplaceAsync(IndexedDocument document, CancellationToken cancellationToken) =>
        documents.ReplaceAsync(document, embedder is not null, async (generation, token) => Points(document, generation, await embedder.EmbedAsync(document, token)), cancellationToken);

    public Task ReplaceAsync(IndexedDocument document, IReadOnlyDictionary<Guid, ReadOnlyMemory<float>> vectors, CancellationToken cancellationToken) =>
        documents.ReplaceAsync(
            document,
            embedder is not null && Passage.Of(document).All(p => vectors.ContainsKey(p.ContentKey(embedder.Model))),
            (generation, _) => Task.FromResult(Points(document, generation, vectors)),
            cancellationToken);

    public Task<IReadOnlyList<KnownPassage>> FindAsync(IReadOnlyCollection<Guid> contentKeys, bool withVectors, CancellationToken cancellationToken) =>
        documents.FindAsync(contentKeys, withVectors, cancellationToken);

    public Task<IReadOnlySet<string>> ListUnembeddedAsync(CancellationToken cancellationToken) => documents.ListUnembeddedAsync(cancellationToken);

    public Task<IReadOnlyList<HeldDocument>> ListAsync(CancellationToken cancellationToken) => documents.ListAsync(cancellationToken);

    public Task RemoveAsync(IReadOnlyCollection<string> paths, CancellationToken cancellationToken) => documents.RemoveAsync(paths, cancellationToken);

    public Task<IReadOnlyDictionary<string, string>> GetDocumentsAsync(CancellationToken cancellationToken) => documents.GetAsync(cancellationToken);

    public async Task<IReadOnlyList<PassageHeading>> GetHeadingsAsync(CancellationToken cancellationToken)
    {
        var all = await ReadPassagesAsync(new([QdrantFilter.Is(QdrantFields.Kind, QdrantFields.Passage)]), cancellationToken);
        var ordered = all.OrderBy(p => p.DocumentPath, StringComparer.Ordinal).ThenBy(p => p.Position);
        return [.. ordered.Select(p => new PassageHeading(p.DocumentPath, p.Title, p.Heading, p.Url)).Distinct()];
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

        var meaning = await embedder.EmbedQuestionAsync(query.Text, log, cancellationToken);
        if (!await schema.TakesAsync(meaning?.Length, cancellationToken))
            meaning = null;
        var search = new Search(question, meaning, selection, ReaderPage.Urls(query.PageUrl), query.Candidates);
        try
        {
            return await SearchAsync(query, search, cancellationToken);
        }
        catch (SearchException e) when (e.Status == StatusCodes.Status400BadRequest && meaning is not null)
        {
            // An ingest with another model may just have ended.
            if (await schema.TakesAgainAsync(meaning.Value.Length, cancellationToken))
                throw;
            return await SearchAsync(query, search with { Meaning = null }, cancellationToken);
        }
    }

    private Task<IReadOnlyList<Passage>> SearchAsync(PassageQuery query, Search asked, CancellationToken cancellationToken)
    {
        var search = asked;
        return ReadAsync(
            async token =>
            {
                (search, var found) = await FindSpelledAsync(asked, token);
                var ranked = Rank(found, search, query);
                // An unknown word may be like one of any candidate, and the selection may be in any of them.
                var first = search.Selection is null && !search.HasUnknown ? query.Limit + Spare : ranked.Length;
                return [ranked[..Math.Min(first, ranked.Length)], ranked[Math.Min(first, ranked.Length)..]];
            },
            whole => Choose(whole, search, query.Limit),
            query.Limit,
            cancellationToken);
    }

    /// <summary>What is found for the question, or for the question as the book spells it.</summary>
    private async Task<(Search Search, IReadOnlyList<Passage> Found)> FindSpelledAsync(Search search, CancellationToken cancellationToken)
    {
        var found = await FindAsync(search, cancellationToken);
        var words = Spelling.Find(search.Question.Text, search.IsUnknown);
        if (words.Count == 0 || Spelling.Correct(search.Question.Text, words, (await KnownAsync(words, cancellationToken)).Contains) is not { } corrected)
            return (search, found);
        search = search with { Question = corrected };
        return (search, await FindAsync(search, cancellationToken));
    }

    /// <summary>The terms of spellings that a word's best passages have. Each word has a query of its own, because the passages with the rarest
    /// spelling of one word would take the places of all others.</summary>
    private async Task<HashSet<string>> KnownAsync(IReadOnlyList<UnknownWord> words, CancellationToken cancellationToken)
    {
        var terms = words.Select(w => w.Spellings.Select(s => s.Term).Distinct().ToArray()).ToArray();
        var found = await client.QueryBatchAsync(
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
        async token => [[.. (await client.ScrollAsync<QdrantPassage>(filter, token)).Select(r => r.Payload!.ToPassage())]], found => found, enough: null, cancellationToken);

    /// <summary>Before the first ingest there is no collection, so the result is empty.</summary>
    private async Task<IReadOnlyList<Passage>> ReadAsync(
        Func<CancellationToken, Task<IReadOnlyList<Passage[]>>> read, Func<IReadOnlyList<Passage>, IReadOnlyList<Passage>> choose, int? enough, CancellationToken cancellationToken)
    {
        try
        {
            return await documents.ReadAsync(read, choose, enough, cancellationToken);
        }
        catch (SearchException e) when (e.Status == StatusCodes.Status404NotFound)
        {
            return [];
        }
    }

    private IReadOnlyList<QdrantPoint> Points(IndexedDocument document, string generation, IReadOnlyDictionary<Guid, ReadOnlyMemory<float>> meanings) =>
    [
        .. Passage.Of(document).Select(passage =>
        {
            var vectors = new Dictionary<string, object> { [Sparse] = Bm25Vector.OfPassage(passage.Terms) };
            var key = passage.ContentKey(embedder?.Model ?? "");
            if (meanings.GetValueOrDefault(key) is { Length: > 0 } meaning)
                vectors[Dense] = meaning;
            return new QdrantPoint(QdrantPassage.PointOf(passage, generation), vectors, QdrantPassage.Of(passage, generation, key));
        }),
    ];

    /// <summary>Takes one round trip, a second one for the weights if the book has changed, and one for the neighbours of passages that hold the
    /// selection. Without a selection, what is found has no text.</summary>
    private async Task<IReadOnlyList<Passage>> FindAsync(Search search, CancellationToken cancellationToken)
    {
        var queries = new List<QdrantQuery>();
        object payload = search.Selection is null ? QdrantFields.OfCandidate : true;
        int? byWords = search.Terms.Length == 0 ? null : Add(new()
        {
            Query = Bm25Vector.OfQuery(search.Terms),
            Using = Sparse,
            Limit = search.ListLength,
            WithPayload = payload,
        });
        int? byMeaning = search.Terms.Length == 0 || search.Meaning is not { } meaning
            ? null
            : Add(new() { Query = meaning, Using = Dense, Limit = search.ListLength, WithPayload = payload });
        var ofBook = Add(new() { Filter = new([QdrantFilter.IsAny(QdrantFields.Kind, [QdrantFields.Book, QdrantFields.Threshold])]), Limit = 2, WithPayload = true });
        var weights = _weights;
        var missing = weights?.Missing(search.Weighed) ?? [];
        var weighed = missing.Select(term => Add(QdrantWeights.QueryOf(term))).ToArray();
        var windows = search.Selection?.Windows.SelectMany(window => WindowQueries(window, search.Pages)).Select(Add).ToArray() ?? [];

        var answers = await client.QueryBatchAsync(queries, cancellationToken);
        var revision = answers[ofBook].Select(r => r.Payload).OfType<QdrantBook>().FirstOrDefault()?.Revision;
        if (weights?.AreOf(revision) is true)
            weights.Add(missing, [.. weighed.Select(place => answers[place])]);
        else
            weights = await WeighAsync(revision, [.. search.Weighed], cancellationToken);
        search.Weigh(weights);
        var (related, isOthers) = byMeaning is null
            ? (null, false)
            : threshold.Of(answers[ofBook].Select(r => r.Payload).OfType<QdrantMeasured>().FirstOrDefault(), search.Meaning!.Value.Length);
        if (isOthers)
            byMeaning = null;

        var found = new Dictionary<Guid, Passage>();
        foreach (var (id, passage) in Fuse(byWords is { } words ? answers[words] : [], byMeaning is { } nearest ? answers[nearest] : null, search.ListLength).Take(search.Candidates))
            found[id] = passage with { Nearness = passage.Similarity - related };
        foreach (var record in windows.SelectMany(place => answers[place]))
            found.TryAdd(record.Id, PassageOf(record));
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

    /// <summary>The weights of one revision, asked after the revision was read: an ingest that changes the book meanwhile writes another revision.</summary>
    private async Task<QdrantWeights> WeighAsync(Guid? revision, string[] terms, CancellationToken cancellationToken)
    {
        var counting = client.EstimateCountAsync(new([QdrantFilter.Is(QdrantFields.Kind, QdrantFields.Passage)]), cancellationToken);
        var asking = client.QueryBatchAsync([.. terms.Select(QdrantWeights.QueryOf)], cancellationToken);
        await Task.WhenAll(counting, asking);
        var weights = new QdrantWeights(revision, await counting);
        weights.Add(terms, await asking);
        return _weights = weights;
    }

    private static Passage PassageOf(QdrantRecord<QdrantPayload> record) => ((QdrantPassage)record.Payload!).ToPassage();

    /// <summary>Best first.</summary>
    /// <param name="byMeaning">Null if only words were searched.</param>
    private static IEnumerable<KeyValuePair<Guid, Passage>> Fuse(
        IReadOnlyList<QdrantRecord<QdrantPayload>> byWords, IReadOnlyList<QdrantRecord<QdrantPayload>>? byMeaning, int limit)
    {
        if (byMeaning is null)
            return byWords.Select(r => KeyValuePair.Create(r.Id, PassageOf(r) with { Score = r.Score }));

        var passages = byWords.Concat(byMeaning).DistinctBy(r => r.Id).ToDictionary(r => r.Id);
        // The similarity of a passage that is not in the list is low but unknown; it counts as 0.
        var similarity = byMeaning.ToDictionary(r => r.Id, r => r.Score);
        return ScoreFusion.Fuse([.. byWords.Select(r => (r.Id, r.Score))], [.. byMeaning.Select(r => (r.Id, r.Score))], limit)
            .Where(f => f.Value > 0)
            .OrderByDescending(f => f.Value)
            .Select(f => KeyValuePair.Create(f.Key, PassageOf(passages[f.Key]) with { Score = f.Value, Similarity = similarity.GetValueOrDefault(f.Key) }));
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

    private static Passage[] Rank(IReadOnlyList<Passage> found, Search search, PassageQuery query)
    {
        var page = search.PageOf(found);
        Passage[] ranked =
        [
            .. found
                .Select(p => (Passage: p with { Score = p.Score * (p.Page == page ? ReaderPage.Lift : 1) }, IsOnPage: p.Page == page))
                // If text is selected, the reader's page comes first, whatever the scores are. The index in PostgreSQL does the same.
                .OrderByDescending(f => search.Selection is not null && f.IsOnPage)
                .ThenByDescending(f => f.Passage.Score)
                .ThenByDescending(f => f.IsOnPage)
                .ThenBy(f => f.Passage.DocumentPath, StringComparer.Ordinal)
                .ThenBy(f => f.Passage.Position)
                .Select(f => f.Passage),
        ];
        return search.Selection is null ? [.. PassageLanguage.Prefer(ranked, query)] : ranked;
    }

    /// <summary>The best of ranked passages. Analyzes no more texts than it takes.</summary>
    private static IReadOnlyList<Passage> Choose(IReadOnlyList<Passage> ranked, Search search, int limit)
    {
        var related = search.Cover(ranked).Where(p => p.IsRelated);
        return NearDuplicates.Cut(search.Selection?.Order([.. related], limit) ?? related, limit);
    }

    private sealed record Search(SpelledQuestion Question, ReadOnlyMemory<float>? Meaning, Selection? Selection, string[] Pages, int Candidates)
    {
        private Dictionary<string, double?> _rarities = [];
        private double _passageCount;

        public QueryTerm[] Terms => Question.Terms;

        /// <summary>The most passages of each list: by words and by meaning.</summary>
        public int ListLength => Meaning is null ? Candidates : Math.Max(Candidates, ScoreFusion.ListLength);

        public IEnumerable<string> Weighed => Terms.Take(MaxWeighed).Select(t => t.Term);

        public bool HasUnknown => Terms.Length > MaxWeighed || _rarities.ContainsValue(null);

        public void Weigh(QdrantWeights weights) => (_rarities, _passageCount) = (weights.Of(Weighed), weights.Passages);

        public bool IsUnknown(string term) => _rarities.TryGetValue(term, out var rarity) && rarity is null;

        public IEnumerable<Passage> Cover(IReadOnlyList<Passage> found)
        {
            var coverage = new Coverage(Question, HasUnknown ? [.. found.Select(p => p.Terms)] : [], _rarities, _passageCount);
            foreach (var passage in found)
                yield return passage.CoveredBy(coverage);
        }

        /// <summary>The address of the reader's page if any passage is on it, else null.</summary>
        public string? PageOf(IEnumerable<Passage> found) =>
            Pages.Intersect(found.Select(p => p.Page), StringComparer.Ordinal).MaxBy(url => url.Length);
    }
}
