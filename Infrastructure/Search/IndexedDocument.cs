namespace ChatBackend.Infrastructure.Search;

/// <summary>A document cut into passages, ready for the index.</summary>
/// <param name="Path">The document's path in the book, with forward slashes: <c>module-1/01-nodes.md</c>.</param>
/// <param name="Url">The page's address, as Docusaurus makes it: <c>/docs/module-1/nodes</c>.</param>
/// <param name="ContentHash">SHA-256 of the source and the chunker's version, in hexadecimal.</param>
internal sealed record IndexedDocument(string Path, string Title, string Url, string ContentHash, IReadOnlyList<Chunk> Chunks)
{
    public DocumentOutline Outline { get; init; } = new();
}

/// <summary>What the book's outline says of a document. It is stored with the document and is not searched. A folder's <c>_category_</c> file is a
/// document too, without passages.</summary>
internal sealed record DocumentOutline
{
    /// <summary>Its place among its siblings in the sidebar; null places it behind those that have one.</summary>
    public double? Position { get; init; }

    /// <summary>Its place among all pages of the built site; null if that is not known.</summary>
    public int? Order { get; init; }

    /// <summary>Its name in the sidebar; null means its title, or the folder's name.</summary>
    public string? Label { get; init; }

    public string? Description { get; init; }

    /// <summary>A page's id without its folder. For a category: the id of the page that opens it, empty for none, null for the folder's index page.</summary>
    public string? PageId { get; init; }

    /// <summary>The headings of the highest level below the title, in order.</summary>
    public IReadOnlyList<string> Headings { get; init; } = [];

    /// <summary>The first sentence, as plain text.</summary>
    public string? Opening { get; init; }
}

internal sealed record OutlinedDocument(string Path, string Title, string Url, DocumentOutline Outline);

/// <param name="Position">Its place in the document, from 0, without gaps.</param>
/// <param name="HeadingPath">The headings above it, outermost first, the page's title not included; empty before the first heading.</param>
/// <param name="Anchor">The heading's anchor without <c>#</c>; null before the first heading.</param>
/// <param name="Text">Its Markdown, as a model should read it: without imports and JSX tags, with code.</param>
internal sealed record Chunk(int Position, IReadOnlyList<string> HeadingPath, string? Anchor, string Text);
