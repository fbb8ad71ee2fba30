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

    /// <summary>The beginning of the statement that makes the next version.</summary>
    internal static readonly string NextVersion =
        $"update index_version set version = version + 1, stamps = left(left(gen_random_uuid()::text, {BookVersion.StampLength}) || stamps, {100 * BookVersion.StampLength})";

    private readonly SemaphoreSlim _one = new(1, 1);
    private volatile BookIndex _index = BookIndex.None;
    private volatile BookVersion? _readAgain;
    private volatile bool _isLater;

    public BookIndex Index => _index;

    /// <summary>True while a later version of the service has packed terms that this process cannot read. Searches are refused then.</summary>
    public bool IsLater => _isLater;

    /// <summary>The terms, which are loaded if that was not done yet. Others wait, without a connection.</summary>
    /// <exception cref="SearchException">It takes too long, or a later version of the service has packed the terms.</exception>
    public async Task<BookIndex> LoadAsync(CancellationToken cancellationToken) =>
        _isLater ? throw PackedTerms.Later()
        : _index.IsLoaded ? _index
        : await ReadAsync((_, loaded) => Task.FromResult(loaded), isAgain: false, cancellationToken);

    /// <summary>Runs work on the newest version, in one snapshot of the database: what it reads belongs to that version.</summary>
    /// <param name="isAgain">True to read all terms again, because passages are missing.</param>
    public async Task<T> ReadAsync<T>(Func<NpgsqlConnection, BookIndex, Task<T>> work, bool isAgain, CancellationToken cancellationToken)
    {
        // Others wait without a connection: turns need those.
        if (!await _one.WaitAsync(LongestWait, cancellationToken))
            throw new SearchException(isUnavailable: true, "The index of the book is being loaded. Try again shortly.");
        try
        {
            return await database.RetryAsync(
                async connection =>
                {
                    await using var snapshot = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, cancellationToken);
                    _index = await ReadNewerAsync(connection, isAgain ? BookIndex.None : _index, cancellationToken);
                    if (isAgain)
                        _readAgain = _index.Version;
                    return await work(connection, _index);
                },
                cancellationToken);
        }
        finally
        {
            _one.Release();
        }
    }

    /// <summary>Whether all terms of this version were read again because passages are missing: those that are missing still do not come back.</summary>
    public bool IsReadAgain(BookIndex index) => index.Version == _readAgain;

    public void Dispose() => _one.Dispose();

    /// <summary>The version of the connection's snapshot, made of a version that this process has.</summary>
    private async Task<BookIndex> ReadNewerAsync(NpgsqlConnection connection, BookIndex known, CancellationToken cancellationToken)
    {
        await using var batch = new NpgsqlBatch(connection)
        {
            BatchCommands =
            {
                new("select version, stamps, case when removed > $1 then array(select document_id from document_terms) end from index_version")
                {
                    Parameters = { new() { Value = known.Version.Number } },
                },
                // A document without passages is read, too: it may have had some. Terms that cannot be read are not sent.
                new(
                    """
                    select t.document_id, d.path, rtrim(d.url, '/'), case when get_byte(t.terms, 0) <= $2 then t.terms end
                    from document_terms t join documents d on d.id = t.document_id
                    where t.version > $1
                    """)
                {
                    Parameters = { new() { Value = known.Version.Number }, new() { Value = PackedTerms.Format } },
                },
            },
        };
        if (model is not null)
            PostgresVectors.AddReads(batch, model, known.Version.Number);
        await using var reader = await batch.ExecuteReaderAsync(cancellationToken);
        await reader.ReadAsync(cancellationToken);
        var (number, stamps) = (reader.GetInt64(0), reader.GetString(1));
        var remaining = await reader.IsDBNullAsync(2, cancellationToken) ? null : reader.GetFieldValue<Guid[]>(2).ToHashSet();
        if (known.IsLoaded && !known.Version.IsBefore(number, stamps))
        {
            // The database was restored from a backup, a failover has lost commits, or this process has missed many versions.
            await reader.DisposeAsync();
            return await ReadNewerAsync(connection, BookIndex.None, cancellationToken);
        }

        var documents = new List<(Guid Id, string Path, string Url, byte[] Terms)>();
        await reader.NextResultAsync(cancellationToken);
        while (await reader.ReadAsync(cancellationToken))
        {
            if (await reader.IsDBNullAsync(3, cancellationToken))
            {
                _isLater = true;
                throw PackedTerms.Later();
            }

            documents.Add((reader.GetGuid(0), reader.GetString(1), reader.GetString(2), reader.GetFieldValue<byte[]>(3)));
        }

        var (related, vectors) = model is null ? (null, []) : await PostgresVectors.ReadAsync(reader, cancellationToken);

        var changed = new SegmentBuilder();
        foreach (var (id, path, url, terms) in documents)
            changed.Add(id, url, terms, vectors.GetValueOrDefault(id), PassageLanguage.Split(path).Language);
        _isLater = false;
        return known.With(new(number, stamps[..BookVersion.StampLength]), changed, remaining, related);
    }
}
