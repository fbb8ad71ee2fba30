using System.Globalization;
using System.Text;
using ChatBackend.Features.Translate.Documents;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Translate.Caching;

/// <summary>
/// Tells which segments are the book's own text. Their translations are shared by all readers, so nobody else's text may be among them: it could
/// tell the model how to translate its neighbours.
/// </summary>
/// <remarks>
/// A text is mostly one page. The pages are found by four of its longest blocks, as the passages that hold a reader's selection are, and are read
/// whole. A block counts if its words, without code, formulas and tags, follow each other in one block of such a page. A block of fewer than four
/// words has to be a whole block or heading there: single words of a book can be put together to anything.
/// </remarks>
internal sealed class BookText(IPassageIndex index, ILogger<BookText> log)
{
    private const int Samples = 4;
    private const int FewestWords = 4;
    private const int MostPassages = 1000;

    /// <returns>The segments that are in the book, by <see cref="Segment.Index"/>.</returns>
    public async Task<IReadOnlySet<int>> FindAsync(TranslatableDocument document, CancellationToken cancellationToken)
    {
        var blocks = document.Segments.GroupBy(segment => segment.Block)
            .Select(block => (Segments: block.Select(segment => segment.Index).ToArray(), Words: Words(string.Join(' ', block.Select(segment => segment.Text)))))
            .ToArray();
        HashSet<string> pages;
        try
        {
            pages = await PagesAsync(document, [.. blocks.Select(block => block.Words)], cancellationToken);
        }
        catch (SearchException exception)
        {
            // Text that is not known to be the book's is translated all the same, for its caller alone.
            log.LogWarning("The book could not be searched ({Code}); the translation is not shared", exception.Code);
            return new HashSet<int>();
        }

        return blocks.Where(block => IsIn(pages, block.Words)).SelectMany(block => block.Segments).ToHashSet();
    }

    private static bool IsIn(HashSet<string> pages, string words) =>
        words.Length > 0 && (pages.Contains(words) || (words.Count(c => c == ' ') + 1 >= FewestWords && pages.Any(page => $" {page} ".Contains($" {words} ", StringComparison.Ordinal))));

    /// <summary>The words of each block, heading and description of the pages that the text may come from.</summary>
    private async Task<HashSet<string>> PagesAsync(TranslatableDocument document, IReadOnlyList<string> blocks, CancellationToken cancellationToken)
    {
        var samples = blocks.OrderByDescending(words => words.Length).Take(Samples).Where(words => words.Length > 0);
        var found = await Task.WhenAll(samples.Select(words => index.SearchAsync(new("", 2) { SelectedText = words }, cancellationToken)));
        var paths = found.SelectMany(passages => passages.Where(passage => passage.HoldsSelection)).Select(passage => passage.DocumentPath).Distinct().ToArray();
        if (paths.Length == 0)
            return [];

        var texts = new HashSet<string>(StringComparer.Ordinal);
        foreach (var page in (await index.GetFirstAsync(paths, MostPassages, cancellationToken)).GroupBy(passage => passage.DocumentPath))
        {
            // A paragraph that was divided is whole again where its parts stand side by side.
            foreach (var block in Blocks(string.Join("\n\n", page.Select(passage => passage.Text))))
                texts.Add(block);
            foreach (var heading in page.SelectMany(passage => (string[])[passage.Title, .. passage.HeadingPath]))
                texts.Add(Words(heading));
        }

        // Front matter is in no passage.
        if (document.Segments.Any(segment => segment.Kind == SegmentKind.FrontMatter))
        {
            foreach (var page in (await index.GetOutlineAsync(cancellationToken)).Where(page => paths.Contains(page.Path)))
                texts.UnionWith([Words(page.Outline.Label ?? ""), Words(page.Outline.Description ?? "")]);
        }

        return texts;
    }

    private static IEnumerable<string> Blocks(string markdown)
    {
        try
        {
            return TranslatableDocument.Parse(markdown).Segments.GroupBy(segment => segment.Block).Select(block => Words(string.Join(' ', block.Select(segment => segment.Text))));
        }
        catch (DocumentException)
        {
            // It nests too deeply to be parsed as one text, so nobody's text is found in it.
            return [];
        }
    }

    /// <summary>A segment's words in lower case with single spaces. Spaces, punctuation and operators are left out; any other character that is
    /// neither a letter nor a digit counts as a word: invisible characters and letters in circles can be instructions, too.</summary>
    private static string Words(string text)
    {
        var words = new StringBuilder(text.Length);
        var isOpen = false;
        foreach (var rune in SegmentText.WithoutPlaceholders(text).EnumerateRunes())
        {
            switch (Rune.GetUnicodeCategory(rune))
            {
                case UnicodeCategory.SpaceSeparator or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator or UnicodeCategory.MathSymbol or UnicodeCategory.CurrencySymbol:
                case UnicodeCategory.ConnectorPunctuation or UnicodeCategory.DashPunctuation or UnicodeCategory.OpenPunctuation or UnicodeCategory.ClosePunctuation:
                case UnicodeCategory.InitialQuotePunctuation or UnicodeCategory.FinalQuotePunctuation or UnicodeCategory.OtherPunctuation:
                case UnicodeCategory.ModifierSymbol when rune.IsAscii:
                    isOpen = false;
                    break;
                case UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter or UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter:
                case UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.DecimalDigitNumber:
                    Append(isOpen, Rune.ToLowerInvariant(rune));
                    isOpen = true;
                    break;
                default:
                    Append(isWithin: false, rune);
                    isOpen = false;
                    break;
            }
        }

        return words.ToString();

        void Append(bool isWithin, Rune rune)
        {
            if (!isWithin && words.Length > 0)
                words.Append(' ');
            words.Append(rune);
        }
    }
}
