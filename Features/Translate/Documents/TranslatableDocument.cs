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
    private readonly IReadOnlyList<int> _topBlocks;

    private TranslatableDocument(
        PageSource source, IReadOnlyList<ProseBlock> blocks, IReadOnlyList<string> skeleton, IReadOnlyList<int> topBlocks, IReadOnlyList<Segment> segments) =>
        (_source, _blocks, _skeleton, _topBlocks, Segments) = (source, blocks, skeleton, topBlocks, segments);

    /// <summary>The prose, in the document's order. Empty where there is nothing to translate.</summary>
    public IReadOnlyList<Segment> Segments { get; }

    /// <exception cref="DocumentException">The lists or quotes are nested too deeply.</exception>
    public static TranslatableDocument Parse(string text)
    {
        var source = new PageSource(text);
        var (bodyStart, values, others) = FrontMatterValues.Read(source.Text);
        var (blocks, skeleton, topBlocks) = PageReader.Read(source, bodyStart);
        var segments = values.Select(value => new Segment(0, 0, SegmentKind.FrontMatter, value.Text, source.Line(value.Start), source.Line(value.End)) { Start = value.Start, End = value.End })
            .Concat(blocks.SelectMany((block, index) => SegmentFinder.Find(source, block, index + values.Count)))
            .OrderBy(segment => segment.Start)
            .Select((segment, index) => segment with { Index = index, Block = segment.Kind == SegmentKind.FrontMatter ? index : segment.Block })
            .ToArray();

        return new(source, blocks, [.. others, .. skeleton], topBlocks, segments);
    }

    /// <summary>The document with these translations. Segments without one stay in their own language.</summary>
    /// <param name="translations">By <see cref="Segment.Index"/>, with the placeholders of <see cref="Segment.Text"/>. They must be <see cref="Sound"/>.</param>
    /// <exception cref="RefusedTranslationException">The placeholders of a translation are not those of its segment.</exception>
    public string Translate(IReadOnlyDictionary<int, string> translations, HeadingIds headingIds)
    {
        return _source.With(Edits(Segments, translations, headingIds, 0, _source.Text.Length));
    }

    /// <summary>The place, from 0, of the outermost Markdown block that a segment is in; null for the front matter.</summary>
    public int? TopBlockOf(Segment segment) => segment.Kind == SegmentKind.FrontMatter ? null : Math.Max(0, _topBlocks.Count(start => start <= segment.Start) - 1);

    /// <summary>One of the outermost blocks as it is in the document with these translations.</summary>
    /// <param name="block">As <see cref="TopBlockOf"/> counts.</param>
    public string TranslateBlock(int block, IReadOnlyDictionary<int, string> translations, HeadingIds headingIds)
    {
        var start = _topBlocks[block];
        var end = block + 1 < _topBlocks.Count ? _topBlocks[block + 1] : _source.Text.Length;

        return _source.With(Edits(Segments.Where(segment => segment.Start >= start && segment.End <= end), translations, headingIds, start, end), start, end).Trim();
    }

    /// <summary>A segment as it is in the document with this translation; without one, as it is now.</summary>
    public string TextOf(Segment segment, string? translation) =>
        translation is null || IsUnchanged(segment, translation) ? _source.Slice(segment.Start, segment.End) : Write(segment, translation);

    private List<(int Start, int End, string Text)> Edits(
        IEnumerable<Segment> segments, IReadOnlyDictionary<int, string> translations, HeadingIds headingIds, int start, int end)
    {
        var edits = segments.Where(segment => translations.ContainsKey(segment.Index) && !IsUnchanged(segment, translations[segment.Index]))
            .Select(segment => (segment.Start, segment.End, Text: Write(segment, translations[segment.Index])))
            .ToList();
        if (headingIds != HeadingIds.None)
        {
            edits.AddRange(
                from block in _blocks
                where block is { Heading.Anchor: not null, ExplicitId: null } && block.Nodes[0].Start >= start && block.Nodes[^1].End <= end
                let id = block.Heading!.Anchor
                select (block.Nodes[^1].End, block.Nodes[^1].End, headingIds == HeadingIds.Classic ? $" {{#{id}}}" : $" {{/* #{id} */}}"));
        }

        return edits;
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
            return HasStructureOf(Parse(Translate(translations, HeadingIds.Comment)));
        }
        catch (DocumentException)
        {
            return false;
        }
    }

    /// <summary>True if the other document has the same blocks, code, links, ids, tables, formulas and tags, whatever its words are.</summary>
    public bool HasStructureOf(TranslatableDocument other) => other._skeleton.SequenceEqual(_skeleton) && other.Ids().SequenceEqual(Ids());

    private IEnumerable<string?> Ids() => _blocks.Where(block => block.Heading is not null).Select(block => block.Heading!.Anchor);
}
