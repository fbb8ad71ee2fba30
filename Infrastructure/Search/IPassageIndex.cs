using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Infrastructure.Search;

/// <summary>The index of the book's passages, in PostgreSQL or in Qdrant.</summary>
internal interface IPassageIndex
{
    /// <summary>Replaces a document's passages atomically: a search returns the old set or the new one, never a mix. Idempotent.</summary>
    Task ReplaceAsync(IndexedDocument document, CancellationToken cancellationToken);

    /// <summary>Removes documents by their paths; unknown paths are ignored.</summary>
    Task RemoveAsync(IReadOnlyCollection<string> paths, CancellationToken cancellationToken);

    /// <summary>The content hash of each document by its path. The ingest skips unchanged documents and removes those without a source.</summary>
    Task<IReadOnlyDictionary<string, string>> GetDocumentsAsync(CancellationToken cancellationToken);

    /// <summary>The headings that passages stand under, in the order of paths and positions, without repetitions.</summary>
    Task<IReadOnlyList<PassageHeading>> GetHeadingsAsync(CancellationToken cancellationToken);

    /// <summary>The outline of every document, in no particular order.</summary>
    Task<IReadOnlyList<OutlinedDocument>> GetOutlineAsync(CancellationToken cancellationToken);

    /// <summary>The first passages of each of these documents, by path and position.</summary>
    /// <param name="most">The most passages of each document.</param>
    Task<IReadOnlyList<Passage>> GetFirstAsync(IReadOnlyCollection<string> paths, int most, CancellationToken cancellationToken);

    /// <summary>Measures how similar the book is to questions that it does not answer, which <see cref="Passage.Nearness"/> is relative to.
    /// In Qdrant the vectors of a new model answer from then on. To be called after each ingest; costs little if nothing changed. A failure of the model is logged and fails nothing.</summary>
    Task MeasureSimilarityAsync(CancellationToken cancellationToken);

    /// <summary>The best passages for a query, best first.</summary>
    Task<IReadOnlyList<Passage>> SearchAsync(PassageQuery query, CancellationToken cancellationToken);

    /// <summary>The passages that exist among these ids, in no particular order.</summary>
    Task<IReadOnlyList<Passage>> GetAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken);
}

/// <summary>A question with its context, and the most passages to return.</summary>
internal sealed record PassageQuery(string Text, int Limit = PassageQuery.DefaultLimit)
{
    /// <summary>What callers of the service may ask for.</summary>
    public const int MaxLength = 1_000;
    public const int MaxLimit = 20;
    public const int DefaultLimit = 6;

    /// <summary>How many candidates an index ranks. It is more than the limit because near-duplicates are dropped afterwards.</summary>
    public int Candidates => (2 * Limit) + 10;

    /// <summary>Text that the reader selected. Passages that hold it, and their neighbours, come first.</summary>
    public string? SelectedText { get; init; }

    /// <summary>The reader's page: its passages rank higher (<see cref="ReaderPage.Lift"/>).</summary>
    public string? PageUrl { get; init; }
}

/// <summary>What an ingest needs of an index beside <see cref="IPassageIndex"/>: which passages it holds already, and their vectors.</summary>
internal interface IPassageVectors
{
    /// <summary>The model whose vectors the index stores; null if it stores none.</summary>
    IEmbedder? Embedder { get; }

    /// <summary>The passages with these contents (<see cref="Passage.ContentKey"/>), wherever in the book they are.</summary>
    Task<IReadOnlyList<KnownPassage>> FindAsync(IReadOnlyCollection<Guid> contentKeys, bool withVectors, CancellationToken cancellationToken);

    /// <summary>The paths of documents that lack vectors of the embedder's model; an ingest adds them, though the words are the same. None without an embedder.</summary>
    Task<IReadOnlySet<string>> ListUnembeddedAsync(CancellationToken cancellationToken);

    /// <summary>The documents that searches see, in no particular order.</summary>
    Task<IReadOnlyList<HeldDocument>> ListAsync(CancellationToken cancellationToken);

    /// <summary>As <see cref="IPassageIndex.ReplaceAsync"/>, with the vectors of the passages by their content keys. A passage whose vector is empty has none, and does not count
    /// as one that lacks it.</summary>
    Task ReplaceAsync(IndexedDocument document, IReadOnlyDictionary<Guid, ReadOnlyMemory<float>> vectors, CancellationToken cancellationToken);
}

internal sealed record HeldDocument(string Path, string Title, string Url, int Passages, DateTime IngestedAt);

/// <param name="Path">The path of its document; empty if only its vector is left.</param>
/// <param name="Vector">Null if it was not asked for, or there is none.</param>
internal sealed record KnownPassage(Guid ContentKey, string Path, ReadOnlyMemory<float>? Vector)
{
    /// <summary>False if it has no vector of the embedder's model.</summary>
    public bool IsEmbedded { get; init; } = true;
}

/// <param name="Path">The path of its document.</param>
/// <param name="Heading">The page's title for what stands before its first heading.</param>
/// <param name="Url">The page's address with the heading's anchor.</param>
internal sealed record PassageHeading(string Path, string Title, string Heading, string Url);
