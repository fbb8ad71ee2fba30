using System.Text.Json;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Search.Words;
using Dapper;
using Npgsql;

namespace ChatBackend.Infrastructure.Search.Postgres;

/// <summary>The passage index in PostgreSQL: BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009)
/// over an inverted index in tables. Every operation takes one round trip, except a search for a word that the book does not have.</summary>
internal sealed class PostgresPassageIndex(NpgsqlDataSource db, IEmbedder? embedder = null) : IPassageIndex, IPassageVectors
{
    private readonly PostgresVectors? _vectors = embedder is null ? null : new(db, embedder);

    private string Model => embedder?.Model ?? "";

    public IEmbedder? Embedder => embedder;

    public async Task ReplaceAsync(IndexedDocument document, CancellationToken cancellationToken) =>
        await ReplaceAsync(document, await embedder.EmbedAsync(document, cancellationToken), cancellationToken);

    public async Task ReplaceAsync(IndexedDocument document, IReadOnlyDictionary<Guid, ReadOnlyMemory<float>> vectors, CancellationToken cancellationToken)
    {
        var rows = Passage.Of(document);
        var terms = rows.SelectMany(row => row.Terms.Frequencies.Select(term => (row.Position, Term: term.Key, Frequency: term.Value))).ToArray();

        await db.RetryAsync(connection => ReplaceAsync(connection, document, rows, terms, vectors, cancellationToken), cancellationToken);
    }

    private async Task<int> ReplaceAsync(
        NpgsqlConnection connection, IndexedDocument document, Passage[] rows, (int Position, string Term, int Frequency)[] terms,
        IReadOnlyDictionary<Guid, ReadOnlyMemory<float>> vectors, CancellationToken cancellationToken)
    {
        var keys = rows.Select(row => row.ContentKey(Model)).ToArray();
        var embedded = embedder is null ? [] : keys.Where(vectors.ContainsKey).Select(key => (key, vectors[key])).ToArray();
        var isEmbedded = embedded.Length > 0 && embedded.Length == keys.Length;

        // A batch without BEGIN is one transaction and one round trip. now() is constant within it, so updated_at = now()
        // is true only if the first statement wrote. For an unchanged document the other three statements match no row.
        await using var batch = new NpgsqlBatch(connection);
        if (embedded.Length > 0)
            batch.BatchCommands.Add(PostgresVectors.Write(Model, embedded));
        Add(batch,
            """
            insert into documents (
                id, path, title, url, outline, content_hash, analyzer_version, passage_count, embedding_model, embedding_dimensions, created_at, updated_at)
            values (@id, @path, @title, @url, @outline::json, @hash, @analyzer, @passages, @model, @dimensions, now(), now())
            on conflict (path) do update set
                title = excluded.title, url = excluded.url, outline = excluded.outline, content_hash = excluded.content_hash, analyzer_version = excluded.analyzer_version,
                passage_count = excluded.passage_count, embedding_model = excluded.embedding_model, embedding_dimensions = excluded.embedding_dimensions,
                updated_at = excluded.updated_at
            where (documents.content_hash, documents.analyzer_version, documents.title, documents.url)
                is distinct from (excluded.content_hash, excluded.analyzer_version, excluded.title, excluded.url)
                or (excluded.embedding_model <> ''
                    and (documents.embedding_model, documents.embedding_dimensions) is distinct from (excluded.embedding_model, excluded.embedding_dimensions))
            """,
            ("id", Guid.CreateVersion7()), ("path", StoredText.Clean(document.Path)), ("title", StoredText.Clean(document.Title)), ("url", StoredText.Clean(document.Url)),
            ("outline", JsonSerializer.Serialize(document.Outline)), ("hash", document.ContentHash), ("analyzer", TextAnalyzer.Version), ("passages", rows.Length),
            ("model", isEmbedded ? Model : ""), ("dimensions", isEmbedded ? embedded[0].Item2.Length : 0));
        Add(batch,
            "delete from passages where document_id = (select id from documents where path = @path and updated_at = now())",
            ("path", StoredText.Clean(document.Path)));
        // Arrays of arrays must be rectangular, so a heading path is sent as one string.
        Add(batch,
            """
            insert into passages (id, document_id, position, heading, heading_path, url, text, term_count, content_key)
            select p.id, d.id, p.position, p.heading, coalesce(nullif(string_to_array(p.heading_path, @separator), '{}'), array['']), p.url, p.text, p.term_count,
                p.content_key
            from unnest(@ids, @positions, @headings, @heading_paths, @urls, @texts, @term_counts, @content_keys)
                as p (id, position, heading, heading_path, url, text, term_count, content_key)
            join documents d on d.path = @path and d.updated_at = now()
            """,
            ("path", StoredText.Clean(document.Path)), ("separator", StoredText.Separator.ToString()),
            ("ids", rows.Select(r => r.Id).ToArray()), ("positions", rows.Select(r => r.Position).ToArray()),
            ("headings", rows.Select(r => r.Heading).ToArray()),
            ("heading_paths", rows.Select(r => string.Join(StoredText.Separator, r.HeadingPath)).ToArray()),
            ("urls", rows.Select(r => r.Url).ToArray()), ("texts", rows.Select(r => r.Text).ToArray()),
            ("term_counts", rows.Select(r => r.Terms.Length).ToArray()), ("content_keys", keys));
        Add(batch,
            """
            insert into passage_terms (term, passage_number, frequency, passage_length)
            select t.term, p.number, t.frequency, p.term_count
            from unnest(@positions, @terms, @frequencies) as t (position, term, frequency)
            join documents d on d.path = @path and d.updated_at = now()
            join passages p on p.document_id = d.id and p.position = t.position
            """,
            ("path", StoredText.Clean(document.Path)), ("positions", terms.Select(t => t.Position).ToArray()),
            ("terms", terms.Select(t => t.Term).ToArray()), ("frequencies", terms.Select(t => t.Frequency).ToArray()));
        return await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task<IReadOnlyList<KnownPassage>> FindAsync(IReadOnlyCollection<Guid> contentKeys, bool withVectors, CancellationToken cancellationToken)
    {
        if (_vectors is not null)
            return await _vectors.FindAsync(contentKeys, withVectors, cancellationToken);
        var found = await QueryAsync<(Guid ContentKey, string Path)>(
            "select p.content_key, d.path from passages p join documents d on d.id = p.document_id where p.content_key = any(@keys)",
            new { keys = contentKeys.ToArray() }, cancellationToken);
        return [.. found.Select(p => new KnownPassage(p.ContentKey, p.Path, Vector: null))];
    }

    public async Task<IReadOnlySet<string>> ListUnembeddedAsync(CancellationToken cancellationToken) =>
        _vectors is null ? new HashSet<string>() : await _vectors.ListUnembeddedAsync(cancellationToken);

    public async Task<IReadOnlyList<HeldDocument>> ListAsync(CancellationToken cancellationToken) => await QueryAsync<HeldDocument>(
        "select path, title, url, passage_count as passages, updated_at as ingested_at from documents", new { }, cancellationToken);

    public async Task RemoveAsync(IReadOnlyCollection<string> paths, CancellationToken cancellationToken)
    {
        var parameters = new { paths = paths.Select(StoredText.Clean).ToArray() };
        await db.RetryAsync(
            connection => connection.ExecuteAsync(new("delete from documents where path = any(@paths)", parameters, cancellationToken: cancellationToken)),
            cancellationToken);
    }

    public async Task<IReadOnlyDictionary<string, string>> GetDocumentsAsync(CancellationToken cancellationToken)
    {
        // An empty hash matches no source, so the next ingest replaces documents that another analyzer indexed.
        var documents = await QueryAsync<(string Path, string Hash)>(
            "select path, case when analyzer_version = @version then content_hash else '' end from documents",
            new { version = TextAnalyzer.Version }, cancellationToken);
        return documents.ToDictionary(d => d.Path, d => d.Hash);
    }

    public async Task<IReadOnlyList<PassageHeading>> GetHeadingsAsync(CancellationToken cancellationToken) => await QueryAsync<PassageHeading>(
        """
        select d.path, d.title, p.heading, p.url
        from passages p join documents d on d.id = p.document_id
        group by d.path, d.title, p.heading, p.url
        order by d.path, min(p.position)
        """,
        new { }, cancellationToken);

    public async Task MeasureSimilarityAsync(CancellationToken cancellationToken)
    {
        if (_vectors is not null)
            await _vectors.DeleteUnusedAsync(cancellationToken);
    }

    public async Task<IReadOnlyList<Passage>> GetAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken)
    {
        return await QueryAsync<Passage>(
            """
            select p.id, d.path as document_path, p.position, d.title, p.heading_path, p.url, p.text
            from passages p join documents d on d.id = p.document_id
            where p.id = any(@ids)
            """,
            new { ids = ids.ToArray() }, cancellationToken);
    }

    public async Task<IReadOnlyList<OutlinedDocument>> GetOutlineAsync(CancellationToken cancellationToken)
    {
        var documents = await QueryAsync<(string Path, string Title, string Url, string Outline)>(
            "select path, title, url, outline::text from documents", new { }, cancellationToken);
        return [.. documents.Select(d => new OutlinedDocument(d.Path, d.Title, d.Url, JsonSerializer.Deserialize<DocumentOutline>(d.Outline)!))];
    }

    public async Task<IReadOnlyList<Passage>> GetFirstAsync(IReadOnlyCollection<string> paths, int most, CancellationToken cancellationToken)
    {
        return await QueryAsync<Passage>(
            """
            select p.id, d.path as document_path, p.position, d.title, p.heading_path, p.url, p.text
            from documents d join passages p on p.document_id = d.id
            where d.path = any(@paths) and p.position < @most
            order by d.path, p.position
            """,
            new { paths = paths.Select(StoredText.Clean).ToArray(), most }, cancellationToken);
    }

    /// <summary>Takes one round trip. If the question has a word that the book does not have, it takes a second one to look for words that are
    /// spelled nearly so, and, if there is one, a third one to search for that.</summary>
    public async Task<IReadOnlyList<Passage>> SearchAsync(PassageQuery query, CancellationToken cancellationToken)
    {
        var selection = Selection.Of(query.SelectedText);
        var question = new SpelledQuestion(query.Text);
        if (query.Limit <= 0 || (question.Terms.Length == 0 && selection is null))
            return [];

        var (found, unknown) = await FindAsync(query, question, selection, cancellationToken);
        var words = Spelling.Find(query.Text, unknown.Contains);
        if (words.Count > 0 && Spelling.Correct(query.Text, words, (await KnownAsync(words, cancellationToken)).Contains) is { } corrected)
            (found, _) = await FindAsync(query, corrected, selection, cancellationToken);
        return NearDuplicates.Cut(selection?.Order(found, query.Limit) ?? PassageLanguage.Prefer(found, query), query.Limit);
    }

    /// <summary>The best passages, and the question's terms that no passage has.</summary>
    private async Task<(IReadOnlyList<Passage> Found, HashSet<string> Unknown)> FindAsync(
        PassageQuery query, SpelledQuestion question, Selection? selection, CancellationToken cancellationToken)
    {
        var terms = question.Terms;
        var parameters = new
        {
            terms = terms.Select(t => t.Term).ToArray(),
            weights = terms.Select(t => t.Weight).ToArray(),
            k1 = Bm25.K1,
            lengthFixed = Bm25.Fixed,
            lengthPerTerm = Bm25.PerTerm,
            candidates = query.Candidates,
            pages = ReaderPage.Urls(query.PageUrl),
            pageLift = ReaderPage.Lift,
            windows = selection?.Windows.SelectMany((w, i) => w.Select(_ => i)).ToArray() ?? [],
            windowTerms = selection?.Windows.SelectMany(w => w).ToArray() ?? [],
        };
        var sql = selection is null ? RankSql : RankWithSelectionSql;
        var rows = await db.RetryAsync(
            async connection => (await connection.QueryAsync<Passage, Statistics, (Passage Passage, Statistics Statistics)>(
                new(sql, parameters, cancellationToken: cancellationToken), (passage, statistics) => (passage, statistics), splitOn: "passage_count")).AsList(),
            cancellationToken);
        if (rows.Count == 0)
            return ([], [.. terms.Select(t => t.Term)]);

        var rarities = terms.Zip(rows[0].Statistics.Rarities, (term, rarity) => (term.Term, Rarity: rarity > 0 ? rarity : (double?)null)).ToDictionary(t => t.Term, t => t.Rarity);
        var coverage = new Coverage(question, [.. rows.Select(r => r.Passage.Terms)], rarities, rows[0].Statistics.PassageCount);
        return ([.. rows.Select(row => row.Passage.CoveredBy(coverage))], [.. rarities.Where(r => r.Value is null).Select(r => r.Key)]);
    }

    /// <summary>The terms of spellings that a passage has.</summary>
    private async Task<HashSet<string>> KnownAsync(IReadOnlyList<UnknownWord> words, CancellationToken cancellationToken) =>
    [
        .. await QueryAsync<string>(
            "select s.term from unnest(@terms) as s (term) where exists (select from passage_terms t where t.term = s.term)",
            new { terms = words.SelectMany(w => w.Spellings).Select(s => s.Term).Distinct().ToArray() }, cancellationToken),
    ];

    private Task<List<T>> QueryAsync<T>(string sql, object parameters, CancellationToken cancellationToken) => db.RetryAsync(
        async connection => (await connection.QueryAsync<T>(new(sql, parameters, cancellationToken: cancellationToken))).AsList(), cancellationToken);

    private static void Add(NpgsqlBatch batch, string sql, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var (name, value) in parameters)
            command.Parameters.AddWithValue(name, value);
        batch.BatchCommands.Add(command);
    }

    // The constants are in Bm25.
    private const string Ranking =
        """
        with corpus as materialized (
            select coalesce(sum(passage_count), 0)::float8 as passages from documents
        ),
        query as materialized (
            select q.place, q.term, q.weight from unnest(@terms, @weights) with ordinality as q (term, weight, place)
        ),
        postings as materialized (
            select q.place, t.passage_number, t.frequency, t.passage_length
            from query q join passage_terms t on t.term = q.term
        ),
        weights as materialized (
            select q.place, q.weight * w.idf as weight, case when f.place is null then 0 else w.idf end as rarity
            from query q
            left join (select place, count(*)::float8 as passages from postings group by place) f on f.place = q.place
            cross join corpus c
            cross join lateral (
                select ln(1 + (c.passages - coalesce(f.passages, 0) + 0.5) / (coalesce(f.passages, 0) + 0.5)) as idf
            ) w
        ),
        scored as materialized (
            select p.passage_number,
                   sum(w.weight * p.frequency * (@k1 + 1) / (p.frequency + @lengthFixed + @lengthPerTerm * p.passage_length)) as score
            from postings p join weights w on w.place = p.place
            group by p.passage_number
        ),
        statistics as materialized (
            select c.passages as passage_count, array(select rarity from weights order by place) as rarities from corpus c
        ),
        best as (
            select passage_number, score from scored order by score desc, passage_number limit @candidates
        ),
        page as materialized (
            select id from documents where rtrim(url, '/') = any(@pages) order by length(url) desc, id limit 1
        )
        """;

    private const string RankSql = Ranking +
        """

        select p.id, d.path as document_path, p.position, d.title, p.heading_path, p.url, p.text,
            b.score * case when d.id = (select id from page) then @pageLift else 1 end as score,
            q.passage_count, q.rarities
        from best b
        cross join statistics q
        join passages p on p.number = b.passage_number
        join documents d on d.id = p.document_id
        order by score desc, d.path, p.position
        """;

    // A passage may hold the selection if it has nearly all terms of one window; the caller then compares the texts.
    // The neighbours are in the same result, which saves a second round trip.
    private const string RankWithSelectionSql = Ranking +
        """
        ,
        marked as materialized (
            select w.number, w.term from unnest(@windows, @windowTerms) as w (number, term)
        ),
        window_sizes as (
            select number, count(*)::float8 as terms from marked group by number
        ),
        window_cover as (
            select m.number, t.passage_number, count(*)::float8 as terms
            from marked m join passage_terms t on t.term = m.term
            group by m.number, t.passage_number
        ),
        holding as (
            select c.passage_number, max(c.terms / s.terms) as share
            from window_cover c join window_sizes s on s.number = c.number
            where c.terms >= 0.8 * s.terms
            group by c.passage_number
        ),
        holders as materialized (
            select p.id, p.document_id, p.position, (1000 * h.share)::integer as holds
            from holding h
            join passages p on p.number = h.passage_number
            left join scored s on s.passage_number = h.passage_number
            order by coalesce(p.document_id = (select id from page), false) desc, h.share desc, s.score desc nulls last, p.number
            limit 12
        ),
        chosen as (
            select p.number from best b join passages p on p.number = b.passage_number
            union
            select p.number from holders h join passages p on p.document_id = h.document_id and p.position between h.position - 1 and h.position + 1
        )
        select p.id, d.path as document_path, p.position, d.title, p.heading_path, p.url, p.text,
            coalesce(s.score, 0) * case when d.id = (select id from page) then @pageLift else 1 end as score,
            h.holds, q.passage_count, q.rarities
        from chosen c
        cross join statistics q
        join passages p on p.number = c.number
        join documents d on d.id = p.document_id
        left join scored s on s.passage_number = c.number
        left join holders h on h.id = p.id
        order by coalesce(d.id = (select id from page), false) desc, score desc, d.path, p.position
        """;

    /// <summary>What the coverage needs to know of the book; the same in each row of a search.</summary>
    private sealed record Statistics
    {
        public required double PassageCount { get; init; }

        /// <summary>The inverse document frequencies of the question's terms, in order; 0 for a term that no passage has.</summary>
        public required double[] Rarities { get; init; }
    }
}
