using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Search.Meaning;
using Dapper;
using Npgsql;

namespace ChatBackend.Infrastructure.Search.Postgres;

/// <summary>The vectors of passages in PostgreSQL, by content key and not by passage: an edit that moves a passage keeps its vector.
/// Only those of the embedder's model are read.</summary>
internal sealed class PostgresVectors(NpgsqlDataSource db, IEmbedder embedder)
{
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
        connection => connection.ExecuteAsync(new(
            "delete from passage_vectors v where not exists (select from passages p where p.content_key = v.content_key)", cancellationToken: cancellationToken)),
        cancellationToken);

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
