namespace ChatBackend.Infrastructure.Search;

/// <summary>The index of the book's passages: embedded in PostgreSQL, or Qdrant.</summary>
internal interface IPassageIndex
{
    /// <summary>
    /// Replaces a document's passages atomically: a search returns the old set or the new one, never a mix. Idempotent.
    /// </summary>
    Task ReplaceAsync(IndexedDocument document, CancellationToken cancellationToken);

    /// <summary>Removes documents by their paths; unknown paths are ignored.</summary>
    Task RemoveAsync(IReadOnlyCollection<string> paths, CancellationToken cancellationToken);

    /// <summary>The documents in the index: the content hash of each by its path. An ingest uses it to skip unchanged documents and to prune.</summary>
    Task<IReadOnlyDictionary<string, string>> GetDocumentsAsync(CancellationToken cancellationToken);

    /// <summary>The best passages for a query, best first.</summary>
    Task<IReadOnlyList<Passage>> SearchAsync(PassageQuery query, CancellationToken cancellationToken);

    /// <summary>Passages by id (those that exist), in no particular order.</summary>
    Task<IReadOnlyList<Passage>> GetAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken);
}

/// <summary>What to search for.</summary>
/// <param name="Text">The question, with its context.</param>
/// <param name="Limit">How many passages at most.</param>
internal sealed record PassageQuery(string Text, int Limit = 6)
{
    /// <summary>How many candidates an index ranks: more than the limit, because near-duplicates are dropped afterwards.</summary>
    public int Candidates => (2 * Limit) + 10;

    /// <summary>Text that the reader selected: passages that hold it, and their neighbours, come first.</summary>
    public string? SelectedText { get; init; }

    /// <summary>The page the reader is on; its passages get a lift.</summary>
    public string? PageUrl { get; init; }
}
