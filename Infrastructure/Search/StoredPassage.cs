using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search;

/// <summary>A chunk as every index stores it: with its id and address, and nothing in it that cannot be stored.</summary>
/// <param name="HeadingPath">Title and headings, outermost first.</param>
/// <param name="Url">The page's address with the heading's anchor.</param>
internal sealed record StoredPassage(Guid Id, int Position, string[] HeadingPath, string Url, string Text)
{
    /// <summary>What the passage is found by.</summary>
    public AnalyzedText Terms { get; } = PassageTerms.Of(HeadingPath, Text);

    /// <summary>The passages of a document, in its order.</summary>
    public static StoredPassage[] Of(IndexedDocument document)
    {
        var title = StoredText.Clean(document.Title);
        return
        [
            .. document.Chunks.Select(chunk => new StoredPassage(
                PassageId.Of(document.Path, chunk), chunk.Position, [.. chunk.HeadingPath.Select(StoredText.Clean).Prepend(title)],
                StoredText.Clean(DocusaurusPaths.WithAnchor(document.Url, chunk.Anchor)), StoredText.Clean(chunk.Text))),
        ];
    }
}
