namespace ChatBackend.Infrastructure.Search;

/// <summary>A document cut into passages, ready for the index.</summary>
/// <param name="Path">The document's path in the book, with forward slashes: <c>module-1/01-nodes.md</c>.</param>
/// <param name="Url">The page's address, as Docusaurus makes it: <c>/docs/module-1/nodes</c>.</param>
/// <param name="ContentHash">SHA-256 of the source and the chunker's version, in hexadecimal.</param>
internal sealed record IndexedDocument(string Path, string Title, string Url, string ContentHash, IReadOnlyList<Chunk> Chunks);

/// <param name="Position">Its place in the document, from 0, without gaps.</param>
/// <param name="HeadingPath">The headings above it, outermost first, the page's title not included; empty before the first heading.</param>
/// <param name="Anchor">The heading's anchor without <c>#</c>; null before the first heading.</param>
/// <param name="Text">Its Markdown, as a model should read it: without imports and JSX tags, with code.</param>
internal sealed record Chunk(int Position, IReadOnlyList<string> HeadingPath, string? Anchor, string Text);
