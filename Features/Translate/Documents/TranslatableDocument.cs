using ChatBackend.Infrastructure.Docusaurus;

namespace ChatBackend.Features.Translate.Documents;

/// <summary>How the ids of headings are written that have none of their own, so that links into the page hold in every language.</summary>
internal enum HeadingIds
{
    /// <summary><c>{/* #id */}</c>, since Docusaurus 3.10.</summary>
    Comment,

    /// <summary><c>{#id}</c>, for older sites.</summary>
    Classic,

    /// <summary>None.</summary>
    None,
}

/// <summary>
/// A Docusaurus page (Markdown or MDX) divided into <see cref="Segments"/> of prose, and the way back: <see cref="Translate"/> puts translations in
/// their places. What is not prose stays byte for byte: code, formulas, addresses, tags, comments, imports, ids and line ends.
/// </summary>
/// <example>
/// <code>
/// var document = TranslatableDocument.Parse(markdown);
/// var translations = document.Segments.ToDictionary(s => s.Index, s => Translate(s.Text));   // a model, a cache
/// translations = document.Sound(translations);                                              // without those that do not fit
/// var page = document.Translate(translations, HeadingIds.Comment);
/// </code>
/// </example>
internal sealed class TranslatableDocument
{
    private static readonly IReadOnlyDictionary<int, string> Nothing = new Dictionary<int, string>();

    private readonly PageSource _source;
    private readonly IReadOnlyList<ProseBlock> _blocks;
    private readonly IReadOnlyList<string> _skeleton;

    private TranslatableDocument(PageSource source, IReadOnlyList<ProseBlock> blocks, IReadOnlyList<string> skeleton, IReadOnlyList<Segment> segments) =>
        (_source, _blocks, _skeleton, Segments) = (source, blocks, skeleton, segments);

    /// <summary>The prose, in the document's order. Empty where there is nothing to translate.</summary>
    public IReadOnlyList<Segment> Segments { get; }

    /// <exception cref="DocumentException">The lists or quotes are nested too deeply.</exception>
    public static TranslatableDocument Parse(string text)
    {
        var source = new PageSource(text);
        var (bodyStart, values, others) = FrontMatterValues.Read(source.Text);
        var (blocks, skeleton) = PageReader.Read(source, bodyStart);
        var segments = values.Select(value => new Segment(0, 0, SegmentKind.FrontMatter, value.Text, source.Line(value.Start), source.Line(value.End)) { Start = value.Start, End = value.End })
            .Concat(blocks.SelectMany((block, index) => SegmentFinder.Find(source, block, index + values.Count)))
            .OrderBy(segment => segment.Start)
            .Select((segment, index) => segment with { Index = index, Block = segment.Kind == SegmentKind.FrontMatter ? index : segment.Block })
            .ToArray();

        return new(source, blocks, [.. others, .. skeleton], segments);
    }

    /// <summary>The document with these translations. Segments without one stay in their own language.</summary>
    /// <param name="translations">By <see cref="Segment.Index"/>, with the placeholders of <see cref="Segment.Text"/>. They must be <see cref="Sound"/>.</param>
    /// <exception cref="RefusedTranslationException">The placeholders of a translation are not those of its segment.</exception>
    public string Translate(IReadOnlyDictionary<int, string> translations, HeadingIds headingIds)
    {
        var edits = Segments.Where(segment => translations.ContainsKey(segment.Index) && !IsUnchanged(segment, translations[segment.Index]))
            .Select(segment => (segment.Start, segment.End, Text: Write(segment, translations[segment.Index])))
            .ToList();
        if (headingIds != HeadingIds.None)
        {
            edits.AddRange(
                from block in _blocks
                where block is { Heading.Anchor: not null, ExplicitId: null }
                let id = block.Heading!.Anchor
                select (block.Nodes[^1].End, block.Nodes[^1].End, headingIds == HeadingIds.Classic ? $" {{#{id}}}" : $" {{/* #{id} */}}"));
        }

        return _source.With(edits);
    }

    /// <summary>
    /// Those of the translations with which the document keeps its structure: as many as possible, whatever the translations are. Each has the
    /// placeholders of its segment, and the translated document, parsed again, has the same blocks, code, links, ids, tables, formulas and tags.
    /// </summary>
    /// <param name="refused">Takes each segment that is left out, with the reason as a sentence for the model.</param>
    public IReadOnlyDictionary<int, string> Sound(IReadOnlyDictionary<int, string> translations, IDictionary<int, string>? refused = null)
    {
        var candidates = new List<int>();
        foreach (var (index, translation) in translations.OrderBy(translation => translation.Key))
        {
            if (Problem(Segments[index], translation) is { } problem)
                refused?.TryAdd(index, problem);
            else
                candidates.Add(index);
        }

        var sound = new Dictionary<int, string>();
        foreach (var index in Keep(candidates))
            refused?.TryAdd(index, "Written into its place, the translation changes the structure of the page: it adds or removes Markdown, such as a link, an address or emphasis.");

        return sound;

        // Returns those that cannot be kept. Halves a group that does not fit, until the culprits are alone.
        IEnumerable<int> Keep(IReadOnlyList<int> group)
        {
            if (group.Count == 0)
                return [];

            foreach (var index in group)
                sound[index] = translations[index];
            if (HasSameStructure(sound))
                return [];

            foreach (var index in group)
                sound.Remove(index);
            if (group.Count == 1)
                return group;

            var half = group.Count / 2;

            return [.. Keep([.. group.Take(half)]), .. Keep([.. group.Skip(half)])];
        }
    }

    private static string? Problem(Segment segment, string translation)
    {
        if (!translation.Any(char.IsLetterOrDigit))
            return "The translation has no words.";
        if (translation.Contains("```", StringComparison.Ordinal) || translation.Contains("~~~", StringComparison.Ordinal))
            return "The translation has a code fence.";
        if (translation.Length > 200 + (8 * segment.Text.Length))
            return "The translation is much longer than the original.";

        try
        {
            if (segment.Kind != SegmentKind.FrontMatter)
                SegmentText.Read(segment.Nodes, translation);

            return null;
        }
        catch (RefusedTranslationException exception)
        {
            return exception.Message;
        }
    }

    private string Write(Segment segment, string translation) => segment.Kind == SegmentKind.FrontMatter
        ? FrontMatterValues.Quote(string.Join(' ', translation.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)))
        : MarkdownWriter.Write(_source, SegmentText.Read(segment.Nodes, translation), segment.Kind == SegmentKind.TableCell, segment.BeginsBlock);

    /// <summary>A text that came back as it went keeps its line ends and its spelling of escapes.</summary>
    private static bool IsUnchanged(Segment segment, string translation) => translation.Trim() == segment.Text;

    private bool HasSameStructure(IReadOnlyDictionary<int, string> translations)
    {
        try
        {
            var translated = Parse(Translate(translations, HeadingIds.Comment));

            return translated._skeleton.SequenceEqual(_skeleton) && translated.Ids().SequenceEqual(Ids());
        }
        catch (DocumentException)
        {
            return false;
        }
    }

    private IEnumerable<string?> Ids() => _blocks.Where(block => block.Heading is not null).Select(block => block.Heading!.Anchor);

}
