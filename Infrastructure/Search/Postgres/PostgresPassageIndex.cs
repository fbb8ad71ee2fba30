using System.Text.Json;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Search.Memory;
using ChatBackend.Infrastructure.Search.Words;
using Dapper;
using Npgsql;

namespace ChatBackend.Infrastructure.Search.Postgres;

/// <summary>The passage index in PostgreSQL. It keeps the passages and their terms; every process ranks with the terms in its memory
/// (<see cref="BookIndex"/>). Every operation takes one round trip. The first search after a change of the book takes more, and so
/// does one whose first texts are not enough (<see cref="Spare"/>).</summary>
/// <param name="dense">Null without an embedder: then words are searched alone.</param>
internal sealed class PostgresPassageIndex(NpgsqlDataSource db, PostgresVectors? dense = null, ILogger<PostgresPassageIndex>? log = null) : IPassageIndex, IPassageVectors, IDisposable
{
    /// <summary>How many searches have a turn at once. A thousand at once would make every other request wait for a thread, and hold all their candidates.
    /// Fewer than the connections of the pool.</summary>
    internal static readonly int MostAtOnce = Math.Min(2 * Environment.ProcessorCount, 16);

    /// <summary>How many more texts than needed are read at first. If near-duplicates and unrelated passages leave too few, the texts of all candidates are read.
    /// An answer needs six, so ten are read: PostgreSQL's general plan expects ten, and for fewer it would plan the statement each time.</summary>
    private const int Spare = 4;

    private readonly SemaphoreSlim _turns = new(MostAtOnce);

    /// <summary>How long a search waits for its turn: as long as for a connection. After that it runs without one: while the database does not answer, others
    /// may hold all turns.</summary>
    internal TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(5);

    private readonly LoadedBook _book = new(db, dense?.Embedder.Model);

    /// <summary>The terms that this process holds.</summary>
    public LoadedBook Book => _book;

    private string Model => Embedder?.Model ?? "";

    public IEmbedder? Embedder => dense?.Embedder;

    public async Task ReplaceAsync(IndexedDocument document, CancellationToken cancellationToken) =>
        await ReplaceAsync(document, await Embedder.EmbedAsync(document, cancellationToken), cancellationToken);

    public async Task ReplaceAsync(IndexedDocument document, IReadOnlyDictionary<Guid, ReadOnlyMemory<float>> vectors, CancellationToken cancellationToken)
    {
        var rows = Passage.Of(document);
        var terms = PackedTerms.Pack(rows.OrderBy(row => row.Position));

        await db.RetryAsync(connection => ReplaceAsync(connection, document, rows, terms, vectors, cancellationToken), cancellationToken);
    }

    private async Task<int> ReplaceAsync(
        NpgsqlConnection connection, IndexedDocument document, Passage[] rows, byte[] terms,
        IReadOnlyDictionary<Guid, ReadOnlyMemory<float>> vectors, CancellationToken cancellationToken)
    {
        var keys = rows.Select(row => row.ContentKey(Model)).ToArray();
        var embedded = dense is null ? [] : keys.Where(key => vectors.GetValueOrDefault(key).Length > 0).Select(key => (key, vectors[key])).ToArray();
        var isEmbedded = dense is not null && keys.Length > 0 && keys.All(vectors.ContainsKey);

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
            ("model", isEmbedded ? Model : ""), ("dimensions", !isEmbedded ? 0 : embedded.Length > 0 ? embedded[0].Item2.Length : Embedder?.KnownDimensions ?? 0));
        Add(batch,
            "delete from passages where document_id = (select id from documents where path = @path and updated_at = now())",
            ("path", StoredText.Clean(document.Path)));
        // Arrays of arrays must be rectangular, so a heading path is sent as one string.
        Add(batch,
            """
            insert into passages (id, document_id, position, heading, heading_path, url, text, content_key)
            select p.id, d.id, p.position, p.heading, coalesce(nullif(string_to_array(p.heading_path, @separator), '{}'), array['']), p.url, p.text, p.content_key
            from unnest(@ids, @positions, @headings, @heading_paths, @urls, @texts, @content_keys)
                as p (id, position, heading, heading_path, url, text, content_key)
            join documents d on d.path = @path and d.updated_at = now()
            """,
            ("path", StoredText.Clean(document.Path)), ("separator", StoredText.Separator.ToString()),
            ("ids", rows.Select(r => r.Id).ToArray()), ("positions", rows.Select(r => r.Position).ToArray()),
            ("headings", rows.Select(r => r.Heading).ToArray()),
            ("heading_paths", rows.Select(r => string.Join(StoredText.Separator, r.HeadingPath)).ToArray()),
            ("urls", rows.Select(r => r.Url).ToArray()), ("texts", rows.Select(r => r.Text).ToArray()),
            ("content_keys", keys));
        // The lock of the version's row is taken last, and held for the shortest time.
        Add(batch,
            $"""
            with version as (
                {LoadedBook.NextVersion}
                where exists (select from documents where path = @path and updated_at = now())
                returning version
            )
            insert into document_terms (document_id, version, terms)
            select d.id, v.version, @terms from version v cross join documents d where d.path = @path
            on conflict (document_id) do update set version = excluded.version, terms = excluded.terms
            """,
            ("path", StoredText.Clean(document.Path)), ("terms", terms));
        return await batch.ExecuteNonQueryAsync(cancellationToken);
    }

    public async Task<IReadOnlyList<KnownPassage>> FindAsync(IReadOnlyCollection<Guid> contentKeys, bool withVectors, CancellationToken cancellationToken)
    {
        if (dense is not null)
            return await dense.FindAsync(contentKeys, withVectors, cancellationToken);
        var found = await QueryAsync<(Guid ContentKey, string Path)>(
            "select p.content_key, d.path from passages p join documents d on d.id = p.document_id where p.content_key = any(@keys)",
            new { keys = contentKeys.ToArray() }, cancellationToken);
        return [.. found.Select(p => new KnownPassage(p.ContentKey, p.Path, Vector: null))];
    }

    public async Task<IReadOnlySet<string>> ListUnembeddedAsync(CancellationToken cancellationToken) =>
        dense is null ? new HashSet<string>() : await dense.ListUnembeddedAsync(cancellationToken);

    public async Task<IReadOnlyList<HeldDocument>> ListAsync(CancellationToken cancellationToken) => await QueryAsync<HeldDocument>(
        "select path, title, url, passage_count as passages, updated_at as ingested_at from documents", new { }, cancellationToken);

    public async Task RemoveAsync(IReadOnlyCollection<string> paths, CancellationToken cancellationToken)
    {
        var parameters = new { paths = paths.Select(StoredText.Clean).ToArray() };
        await db.RetryAsync(
            // The count makes PostgreSQL delete all documents before it locks the version's row.
            connection => connection.ExecuteAsync(new(
                $"""
                with removed as (delete from documents where path = any(@paths) returning id)
                {LoadedBook.NextVersion}, removed = version + 1 where (select count(*) from removed) > 0
                """,
                parameters, cancellationToken: cancellationToken)),
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
        if (dense is null)
            return;
        await dense.DeleteUnusedAsync(cancellationToken);
        var book = await _book.ReadAsync((_, newest) => Task.FromResult(newest), isAgain: false, cancellationToken);
        await dense.MeasureAsync(book, await GetDocumentsAsync(cancellationToken), cancellationToken);
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

    /// <summary>Takes one round trip, or two (<see cref="Spare"/>), beside the model's: the question is ranked in memory, and the texts of the best passages are read with the book's version. If the
    /// version is another, or a passage is gone, it is ranked once more, in one snapshot of the database. If passages are missing there, too, all terms are
    /// read again, once in a version of the book.</summary>
    /// <exception cref="SearchException">The terms are not loaded yet, or a later version of the service has packed them.</exception>
    public async Task<IReadOnlyList<Passage>> SearchAsync(PassageQuery query, CancellationToken cancellationToken)
    {
        var selection = Selection.Of(query.SelectedText);
        var question = new SpelledQuestion(query.Text);
        if (query.Limit <= 0 || (question.Terms.Length == 0 && selection is null))
            return [];

        var index = await _book.LoadAsync(cancellationToken);
        // The model answers before the search has its turn, and a connection.
        var meaning = await AskAsync(index);
        BookSearch byWords;
        var hasTurn = await _turns.WaitAsync(Patience, cancellationToken);
        try
        {
            // The book may have changed meanwhile.
            index = _book.Index;
            byWords = BookSearch.Run(index, query, question, selection);
            if (await db.RetryAsync(connection => TrySearchAsync(connection, index), cancellationToken) is { } found)
                return found;
        }
        finally
        {
            if (hasTurn)
                _turns.Release();
        }

        // The first vectors may have come since.
        if (dense is not null && !index.HasVectors)
            meaning = await AskAsync(await _book.ReadAsync((_, newest) => Task.FromResult(newest), isAgain: false, cancellationToken));
        if (await _book.ReadAsync(TrySearchAsync, isAgain: false, cancellationToken) is { } newer)
            return newer;

        log?.LogWarning("Passages are missing in the database: all terms are read again. If parts of a page cannot be found after that, change the page and ingest it again");
        return await _book.ReadAsync(TrySearchAsync, isAgain: true, cancellationToken) ?? throw Damaged();

        Task<ReadOnlyMemory<float>?> AskAsync(BookIndex book) =>
            dense is not null && book.HasVectors ? dense.EmbedAsync(query.Text, cancellationToken) : Task.FromResult<ReadOnlyMemory<float>?>(null);

        async Task<IReadOnlyList<Passage>?> TrySearchAsync(NpgsqlConnection connection, BookIndex book)
        {
            var search = book == index ? byWords : BookSearch.Run(book, query, question, selection);
            search.Fuse(meaning);
            var ids = search.Ranked();
            for (var count = selection is null ? Math.Min(query.Limit + Spare, ids.Count) : ids.Count; ; count = ids.Count)
            {
                var (version, passages) = await FetchAsync(connection, [.. ids.Take(count)], cancellationToken);
                // The terms may be of passages that are not there. Once they were read again, what is there is the answer.
                if (version != book.Version || (passages.Count < count && !_book.IsReadAgain(book)))
                    return null;
                var chosen = search.Choose(passages);
                if (chosen.Count == query.Limit || count == ids.Count)
                    return passages.Count > 0 || count == 0 ? chosen : throw Damaged();
            }
        }
    }

    private static async Task<(BookVersion Version, IReadOnlyList<Passage> Passages)> FetchAsync(
        NpgsqlConnection connection, Guid[] ids, CancellationToken cancellationToken)
    {
        var rows = await connection.QueryAsync<BookVersion, Passage?, (BookVersion Version, Passage? Passage)>(
            new(
                """
                select v.version as number, left(v.stamps, @stampLength) as stamp, p.id, d.path as document_path, p.position, d.title, p.heading_path, p.url, p.text
                from index_version v
                left join (passages p join documents d on d.id = p.document_id) on p.id = any(@ids)
                """,
                new { ids, stampLength = BookVersion.StampLength }, cancellationToken: cancellationToken),
            (version, passage) => (version, passage), splitOn: "id");
        var found = rows.AsList();
        return (found[0].Version, [.. found.Select(row => row.Passage).OfType<Passage>().OrderBy(passage => Array.IndexOf(ids, passage.Id))]);
    }

    private static SearchException Damaged() => new(
        isUnavailable: false, "The index in PostgreSQL is damaged: passages are missing. Delete the book's documents and ingest it again.");

    public void Dispose() => _book.Dispose();

    private Task<List<T>> QueryAsync<T>(string sql, object parameters, CancellationToken cancellationToken) => db.RetryAsync(
        async connection => (await connection.QueryAsync<T>(new(sql, parameters, cancellationToken: cancellationToken))).AsList(), cancellationToken);

    private static void Add(NpgsqlBatch batch, string sql, params ReadOnlySpan<(string Name, object Value)> parameters)
    {
        var command = new NpgsqlBatchCommand(sql);
        foreach (var (name, value) in parameters)
            command.Parameters.AddWithValue(name, value);
        batch.BatchCommands.Add(command);
    }
}
