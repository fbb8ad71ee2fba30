using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Search.Meaning;
using ChatBackend.Infrastructure.Search.Memory;
using Dapper;
using Npgsql;

namespace ChatBackend.Infrastructure.Search.Postgres;

/// <summary>The vectors of passages in PostgreSQL, by content key and not by passage: an edit that moves a passage keeps its vector.
/// Only those of the embedder's model are read. Without an embedder there is no such object, and nothing of this is read or kept.</summary>
/// <param name="language">The book's language (BCP 47), in which unrelated questions are asked.</param>
internal sealed class PostgresVectors(NpgsqlDataSource db, IEmbedder embedder, string language, ILogger<PostgresVectors> log)
{
    private readonly SimilarityMeasure _measure = new(embedder, language, log);

    public IEmbedder Embedder => embedder;

    /// <summary>Null if that fails: words are searched alone then.</summary>
    public Task<ReadOnlyMemory<float>?> EmbedAsync(string question, CancellationToken cancellationToken) => embedder.EmbedQuestionAsync(question, log, cancellationToken);

    public async Task<IReadOnlyList<KnownPassage>> FindAsync(IReadOnlyCollection<Guid> contentKeys, bool withVectors, CancellationToken cancellationToken)
    {
        var found = await QueryAsync<(Guid ContentKey, string Path, bool IsEmbedded, byte[]? Vector)>(
            """
            select k.key, coalesce(d.path, ''), v.content_key is not null, case when @withVectors then v.vector end
            from unnest(@keys) as k (key)
            left join passages p on p.content_key = k.key
            left join documents d on d.id = p.document_id
            left join passage_vectors v on v.content_key = k.key and v.model = @model and v.dimensions = coalesce(@dimensions, v.dimensions)
            where p.content_key is not null or v.content_key is not null
            """,
            new { keys = contentKeys.ToArray(), withVectors, model = embedder.Model, dimensions = embedder.KnownDimensions }, cancellationToken);
        return [.. found.Select(p => new KnownPassage(p.ContentKey, p.Path, p.Vector is null ? default(ReadOnlyMemory<float>?) : StoredVector.Read(p.Vector)) { IsEmbedded = p.IsEmbedded })];
    }

    /// <summary>The paths of documents without vectors of this model for all of their passages.</summary>
    public async Task<IReadOnlySet<string>> ListUnembeddedAsync(CancellationToken cancellationToken)
    {
        var paths = await QueryAsync<string>(
            "select path from documents where passage_count > 0 and (embedding_model, embedding_dimensions) is distinct from (@model, coalesce(@dimensions, embedding_dimensions))",
            new { model = embedder.Model, dimensions = embedder.KnownDimensions }, cancellationToken);
        return paths.ToHashSet(StringComparer.Ordinal);
    }

    /// <summary>Deletes the vectors that no passage has. To be called after an ingest, which may move a passage from one document to another.</summary>
    public Task DeleteUnusedAsync(CancellationToken cancellationToken) => db.RetryAsync(
        async connection =>
        {
            // The lock waits for writers that have found a vector and not yet stored its passage, and the second statement sees what they committed.
            await using var transaction = await connection.BeginTransactionAsync(cancellationToken);
            var deleted = await connection.ExecuteAsync(new(
                """
                lock table passage_vectors in share row exclusive mode;
                delete from passage_vectors v where not exists (select from passages p where p.content_key = v.content_key)
                """,
                transaction: transaction, cancellationToken: cancellationToken));
            await transaction.CommitAsync(cancellationToken);
            return deleted;
        },
        cancellationToken);

    /// <summary>Measures how similar the book is to questions that it does not answer, if that is not known (<see cref="SimilarityMeasure"/>).</summary>
    /// <param name="book">The newest version.</param>
    /// <param name="indexed">The content hashes of its documents by their paths.</param>
    public async Task MeasureAsync(BookIndex book, IReadOnlyDictionary<string, string> indexed, CancellationToken cancellationToken)
    {
        if (book.HasVectors && await _measure.RunAsync(indexed, book.Related, Find, cancellationToken) is { } measured)
            await SetAsync(measured, cancellationToken);

        Task<IEnumerable<double>> Find(IReadOnlyList<ReadOnlyMemory<float>> meanings) =>
            Task.FromResult(meanings.SelectMany(meaning => book.Nearest(meaning, 1)).Select(n => n.Similarity));
    }

    /// <summary>A new version of the book, so that every process reads it.</summary>
    private Task<int> SetAsync(MeasuredSimilarity measured, CancellationToken cancellationToken) => db.RetryAsync(
        connection => connection.ExecuteAsync(new(
            $"""
            with measured as (
                insert into measured_similarity (model, value, dimensions, basis) values (@model, @Value, @Dimensions, @Basis)
                on conflict (model) do update set value = excluded.value, dimensions = excluded.dimensions, basis = excluded.basis, measured_at = now()
                returning model
            )
            {LoadedBook.NextVersion} where (select count(*) from measured) > 0
            """,
            new { model = embedder.Model, measured.Value, measured.Dimensions, measured.Basis }, cancellationToken: cancellationToken)),
        cancellationToken);

    /// <summary>Adds the statements that read what <see cref="ReadAsync"/> returns, of documents that are newer than a version.</summary>
    public static void AddReads(NpgsqlBatch batch, string model, long version)
    {
        batch.BatchCommands.Add(new("select value, dimensions, basis from measured_similarity where model = $1") { Parameters = { new() { Value = model } } });
        batch.BatchCommands.Add(new(
            """
            select p.document_id, v.vector
            from document_terms t
            join passages p on p.document_id = t.document_id
            left join passage_vectors v on v.content_key = p.content_key and v.model = $1
            where t.version > $2
            order by p.document_id, p.position
            """)
        {
            Parameters = { new() { Value = model }, new() { Value = version } },
        });
    }

    /// <param name="reader">Before the results of <see cref="AddReads"/>.</param>
    /// <returns>What was measured with the model's vectors, and the vectors of each document.</returns>
    public static async Task<(MeasuredSimilarity? Related, Dictionary<Guid, PassageVectors?> Vectors)> ReadAsync(NpgsqlDataReader reader, CancellationToken cancellationToken)
    {
        await reader.NextResultAsync(cancellationToken);
        var related = await reader.ReadAsync(cancellationToken)
            ? new MeasuredSimilarity(reader.GetDouble(0), reader.GetInt32(1), reader.GetString(2))
            : null;

        await reader.NextResultAsync(cancellationToken);
        var vectors = new Dictionary<Guid, PassageVectors?>();
        var (document, passages) = (Guid.Empty, new List<byte[]?>());
        while (await reader.ReadAsync(cancellationToken))
        {
            if (document != reader.GetGuid(0))
            {
                Add();
                document = reader.GetGuid(0);
            }

            passages.Add(await reader.IsDBNullAsync(1, cancellationToken) ? null : reader.GetFieldValue<byte[]>(1));
        }

        Add();
        return (related, vectors);

        void Add()
        {
            if (PassageVectors.Of(passages) is { } packed)
                vectors[document] = packed;
            passages.Clear();
        }
    }

    /// <summary>The statement that stores the vectors of a document's passages.</summary>
    /// <param name="vectors">By content key.</param>
    public static NpgsqlBatchCommand Write(string model, IEnumerable<(Guid ContentKey, ReadOnlyMemory<float> Vector)> vectors)
    {
        // In one order, so that two processes that write the same vectors do not wait for each other in a circle.
        var rows = vectors.DistinctBy(v => v.ContentKey).OrderBy(v => v.ContentKey).ToArray();
        return new(
            """
            insert into passage_vectors (content_key, model, dimensions, vector)
            select v.content_key, @model, v.dimensions, v.vector
            from unnest(@content_keys, @dimensions, @vectors) as v (content_key, dimensions, vector)
            on conflict (content_key) do update set dimensions = excluded.dimensions, vector = excluded.vector
            where passage_vectors.dimensions <> excluded.dimensions
            """)
        {
            Parameters =
            {
                new() { ParameterName = "model", Value = model },
                new() { ParameterName = "content_keys", Value = rows.Select(r => r.ContentKey).ToArray() },
                new() { ParameterName = "dimensions", Value = rows.Select(r => r.Vector.Length).ToArray() },
                new() { ParameterName = "vectors", Value = rows.Select(r => StoredVector.Of(r.Vector.Span)).ToArray() },
            },
        };
    }

    private Task<List<T>> QueryAsync<T>(string sql, object parameters, CancellationToken cancellationToken) => db.RetryAsync(
        async connection => (await connection.QueryAsync<T>(new(sql, parameters, cancellationToken: cancellationToken))).AsList(), cancellationToken);
}
