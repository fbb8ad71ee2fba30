namespace ChatBackend.Infrastructure.Search;

/// <summary>The index of the book's passages: embedded in PostgreSQL, or Qdrant.</summary>
internal interface IPassageIndex
{
    /// <summary>
    /// Puts a document's passages in place of the ones it had, at once: a search sees the old set or the new, never half.
    /// Doing it twice changes nothing.
    /// </summary>
    Task ReplaceAsync(IndexedDocument document, CancellationToken cancellationToken);

    /// <summary>Removes documents by their paths; unknown paths are ignored.</summary>
    Task RemoveAsync(IReadOnlyCollection<string> paths, CancellationToken cancellationToken);

    /// <summary>The documents in the index: the content hash of each by its path. Tells an ingest what is unchanged and what to prune.</summary>
    Task<IReadOnlyDictionary<string, string>> GetDocumentsAsync(CancellationToken cancellationToken);

    /// <summary>The passages nearest to a query, best first.</summary>
    Task<IReadOnlyList<Passage>> SearchAsync(PassageQuery query, CancellationToken cancellationToken);

    /// <summary>Passages by id (those that exist), in no particular order.</summary>
    Task<IReadOnlyList<Passage>> GetAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken);
}

/// <summary>What to search for.</summary>
/// <param name="Text">The question, with what gives it context.</param>
/// <param name="Limit">How many passages at most.</param>
internal sealed record PassageQuery(string Text, int Limit = 6)
{
    /// <summary>How many an index looks at. Twice the limit and some: near-duplicates are cut afterwards, without a second question.</summary>
    public int Candidates => (2 * Limit) + 10;

    /// <summary>Text that the reader marked on the page: passages that hold it, and their neighbours, come first.</summary>
    public string? SelectedText { get; init; }

    /// <summary>The page the reader is on; its passages get a lift.</summary>
    public string? PageUrl { get; init; }
}
