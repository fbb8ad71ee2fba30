using ChatBackend.Infrastructure.Search;
using Markdig.Syntax;

namespace ChatBackend.Infrastructure.Docusaurus;

/// <summary>What the book's outline says of a page.</summary>
internal static class PageOutline
{
    private const int MaxHeadings = 40;

    private const int MaxLength = 400;

    public static DocumentOutline Of(string path, FrontMatter frontMatter, MarkdownDocument tree, IReadOnlyDictionary<HeadingBlock, Heading> headings)
    {
        var name = Path.GetFileNameWithoutExtension(path[(path.LastIndexOf('/') + 1)..]);
        var below = headings.OrderBy(heading => heading.Key.Span.Start).Select(heading => heading.Value).Where(heading => heading is { Level: > 1, Text.Length: > 0 }).ToList();
        var highest = below.Select(heading => heading.Level).DefaultIfEmpty().Min();
        var opening = tree.OfType<ParagraphBlock>().Select(paragraph => HeadingAnchors.PlainText(paragraph.Inline).Trim()).FirstOrDefault(text => text.Length > 0);

        return new()
        {
            Position = frontMatter.SidebarPosition ?? (frontMatter.ParseNumberPrefixes ? DocusaurusPaths.NumberPrefix(name) : null),
            Label = Clean(frontMatter.SidebarLabel),
            Description = Clean(frontMatter.Description),
            PageId = Clean(frontMatter.Id ?? (frontMatter.ParseNumberPrefixes ? DocusaurusPaths.WithoutNumberPrefix(name) : name)),
            Headings = [.. below.Where(heading => heading.Level == highest).Take(MaxHeadings).Select(heading => Clean(heading.Text)!)],
            Opening = opening is null ? null : Clean(MarkdownPieces.Sentences(opening).First()),
        };
    }

    /// <summary>One line of text that every index can store, cut if it is long.</summary>
    public static string? Clean(string? text)
    {
        if (text is null)
            return null;

        var line = StoredText.Clean(string.Join(' ', text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)));
        if (line.Length <= MaxLength)
            return line;

        var end = line.LastIndexOf(' ', MaxLength) is > 0 and var space ? space : MaxLength;
        return $"{line[..(char.IsHighSurrogate(line[end - 1]) ? end - 1 : end)]}…";
    }
}
