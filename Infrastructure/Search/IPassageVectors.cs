using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Infrastructure.Search;

/// <summary>What an ingest needs of an index beside <see cref="IPassageIndex"/>: which passages it holds already, and their vectors.</summary>
internal interface IPassageVectors
{
    /// <summary>The model whose vectors the index stores; null if it stores none.</summary>
    IEmbedder? Embedder { get; }

    /// <summary>The passages with these contents (<see cref="Passage.ContentKey"/>), wherever in the book they are.</summary>
    Task<IReadOnlyList<KnownPassage>> FindAsync(IReadOnlyCollection<Guid> contentKeys, bool withVectors, CancellationToken cancellationToken);

    /// <summary>The documents that searches see, in no particular order.</summary>
    Task<IReadOnlyList<HeldDocument>> ListAsync(CancellationToken cancellationToken);

    /// <summary>As <see cref="IPassageIndex.ReplaceAsync"/>, with the vectors of the passages by their content keys.</summary>
    Task ReplaceAsync(IndexedDocument document, IReadOnlyDictionary<Guid, ReadOnlyMemory<float>> vectors, CancellationToken cancellationToken);
}

internal sealed record HeldDocument(string Path, string Title, string Url, int Passages, DateTime IngestedAt);

/// <param name="Path">The path of its document.</param>
/// <param name="Vector">Null if it was not asked for, or there is none.</param>
internal sealed record KnownPassage(Guid ContentKey, string Path, ReadOnlyMemory<float>? Vector);
