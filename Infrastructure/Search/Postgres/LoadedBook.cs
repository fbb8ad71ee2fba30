using System.Data;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Search.Memory;
using Npgsql;

namespace ChatBackend.Infrastructure.Search.Postgres;

/// <summary>The book's terms in the memory of this process. They are loaded once, and then follow the book's version: what has changed since is read
/// when a statement that a search needs anyway brings another version. No timer and no open connection keep a suspended database awake.</summary>
/// <param name="model">The embedding model whose vectors are loaded, too; null for none.</param>
internal sealed class LoadedBook(NpgsqlDataSource database, string? model = null) : IDisposable
{
    /// <summary>How long a search waits while the terms are loaded.</summary>
    private static readonly TimeSpan LongestWait = TimeSpan.FromSeconds(5);

    private readonly SemaphoreSlim _one = new(1, 1);
    private volatile BookIndex _index = BookIndex.None;

    public BookIndex Index => _index;

    /// <summary>Loads the terms if that was not done yet. Others wait, without a connection.</summary>
    /// <exception cref="SearchException">It takes too long.</exception>
    public async Task<BookIndex> LoadAsync(CancellationToken cancellationToken)
    {
        if (_index.IsLoaded)
            return _index;

        await EnterAsync(cancellationToken);
        try
        {
            return _index.IsLoaded
                ? _index
                : _index = await database.RetryAsync(
                    async connection =>
                    {
                        await using var snapshot = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
                        return await ReadNewerAsync(connection, BookIndex.None, cancellationToken);
                    },
                    cancellationToken);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Runs work on the newest version, in one snapshot of the database: what it reads belongs to that version.</summary>
    /// <param name="isWhole">True to read all terms again.</param>
    public async Task<T> ReadAsync<T>(Func<NpgsqlConnection, BookIndex, Task<T>> work, bool isWhole, CancellationToken cancellationToken)
    {
        // Others wait without a connection: turns need those.
        await EnterAsync(cancellationToken);
        try
        {
            return await database.RetryAsync(
                async connection =>
                {
                    await using var snapshot = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
                    _index = await ReadNewerAsync(connection, isWhole ? BookIndex.None : _index, cancellationToken);
                    return await work(connection, _index);
                },
                cancellationToken);
        }
        finally
        {
            _one.Release();
        }
    }

    public void Dispose() => _one.Dispose();

    private async Task EnterAsync(CancellationToken cancellationToken)
    {
        if (!await _one.WaitAsync(LongestWait, cancellationToken))
            throw new SearchException(isUnavailable: true, "The index of the book is being loaded. Try again shortly.");
    }

    /// <summary>The version of the connection's snapshot, made of a version that this process has.</summary>
    private async Task<BookIndex> ReadNewerAsync(NpgsqlConnection connection, BookIndex known, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new("select version, case when removed > $1 then array(select document_id from document_terms) end from index_version")
                {
                    Parameters = { new() { Value = known.Version } },
                },
                // A document without passages is read, too: it may have had some.
                new("select t.document_id, rtrim(d.url, '/'), t.terms from document_terms t join documents d on d.id = t.document_id where t.version > $1")
                {
                    Parameters = { new() { Value = known.Version } },
                },
            },
        };
        if (model is not null)
            PostgresVectors.AddReads(batch, model, known.Version);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var version = reader.GetInt64(0);
        var remaining = await reader.IsDBNullAsync(1, cancellationToken) ? null : reader.GetFieldValue<Guid[]>(1).ToHashSet();
        if (version < known.Version)
        {
            // The database was restored from a backup.
            await reader.DisposeAsync();
            return await ReadNewerAsync(connection, BookIndex.None, cancellationToken);
        }

        var documents = new List<(Guid Id, string Url, byte[] Terms)>();
        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
            documents.Add((reader.GetGuid(0), reader.GetString(1), reader.GetFieldValue<byte[]>(2)));
        var (related, vectors) = model is null ? (null, []) : await PostgresVectors.ReadAsync(reader, cancellationToken);

        var changed = new SegmentBuilder();
        foreach (var (id, url, terms) in documents)
            changed.Add(id, url, terms, vectors.GetValueOrDefault(id));
        return known.With(version, changed, remaining, related);
    }
}
