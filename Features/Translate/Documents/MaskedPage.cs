using System.Text;
using ChatBackend.Infrastructure.Docusaurus;
using Markdig;
using Markdig.Extensions.EmphasisExtras;
using Markdig.Syntax;

namespace ChatBackend.Features.Translate.Documents;

/// <summary>Whole lines that stay as they are, but for the title of an admonition, which follows as a paragraph.</summary>
internal sealed record MaskedBlock(string Content, bool IsBeforeTitle);

/// <summary>
/// A page as plain Markdown with the offsets of its source: each piece of MDX, code or math inside of a line is one mark, those of whole lines
/// are a thematic break, and the indentation that only shows the nesting of elements is gone.
/// </summary>
internal sealed class MaskedPage
{
    /// <summary>Punctuation as the first and last characters of what it stands for are, so that emphasis beside it is found or not found alike.</summary>
    private const char Mark = '†';

    /// <summary>A thematic break that cannot be read as a list item.</summary>
    private const string Break = "___";

    private static readonly MarkdownPipeline Pipeline = new MarkdownPipelineBuilder()
        .UsePipeTables().UseFootnotes().UseTaskLists().UseAutoLinks().UseEmphasisExtras(EmphasisExtraOptions.Strikethrough | EmphasisExtraOptions.Subscript)
        .DisableHtml().UsePreciseSourceLocation().Build();

    private readonly string _source;
    private readonly StringBuilder _text = new();
    private readonly List<int> _offsets = [];
    private readonly Dictionary<int, MdxSpan> _marks = [];
    private readonly Dictionary<int, MaskedBlock> _blocks = [];
    private readonly HashSet<int> _guards = [];
    private readonly List<Element> _open = [];

    private MaskedPage(string source) => _source = source;

    public string Text { get; private set; } = "";

    public MarkdownDocument Tree { get; private set; } = [];

    /// <param name="source">With line feeds only.</param>
    /// <param name="bodyStart">Where the front matter ends.</param>
    /// <exception cref="DocumentException">The lists or quotes are nested too deeply, or too many links do not end.</exception>
    public static MaskedPage Of(string source, int bodyStart)
    {
        var page = new MaskedPage(source);
        page.Write(bodyStart);
        page.Text = page._text.ToString();
        page._offsets.Add(source.Length);
        page.Tree = MarkdownChunker.Parse(page.Text, Pipeline);
        return page;
    }

    /// <summary>The offset in the source of a character of <see cref="Text"/>.</summary>
    public int Start(int position) => _offsets[position];

    /// <summary>The offset in the source after a character of <see cref="Text"/>.</summary>
    public int After(int position) => _marks.TryGetValue(position, out var span) ? span.End : Math.Min(_offsets[position] + 1, _source.Length);

    /// <summary>What stands behind the mark at this position of <see cref="Text"/>; null where there is none.</summary>
    public MdxSpan? MarkAt(int position) => _marks.TryGetValue(position, out var span) ? span : null;

    /// <summary>True for a character of <see cref="Text"/> that only keeps what follows from being read as the beginning of a block.</summary>
    public bool IsGuard(int position) => _guards.Contains(position);

    /// <summary>What the thematic break at this position of <see cref="Text"/> stands for; null if the page has one itself.</summary>
    public MaskedBlock? BlockAt(int position) => _blocks.GetValueOrDefault(position);

    private void Write(int bodyStart)
    {
        var line = new List<MdxSpan>();
        foreach (var relative in OpaqueElements.Join(_source[bodyStart..]))
        {
            var span = new MdxSpan(relative.Kind, relative.Start + bodyStart, relative.End + bodyStart);
            if (span.Kind is MdxKind.CodeBlock or MdxKind.MathBlock or MdxKind.Module or MdxKind.Admonition)
            {
                WriteLine(line);
                WriteBlock(span);
                continue;
            }

            line.Add(span);
            if (span.Kind == MdxKind.Text && _source[span.End - 1] == '\n')
                WriteLine(line);
        }

        WriteLine(line);
    }

    private void WriteLine(List<MdxSpan> line)
    {
        if (line.Count == 0)
            return;

        var start = line[0].Start;
        var end = line[^1].End;
        var prefix = line[0].Kind == MdxKind.Text ? MdxScanner.PrefixLength(_source.AsSpan(start..line[0].End).TrimEnd('\n'), withListMarkers: true) : 0;
        if (IsFlow(line, start + prefix))
        {
            WritePrefix(start, prefix);
            WriteBreak(start + prefix, _source[(start + prefix)..end].TrimEnd());
            foreach (var tag in line.Where(span => span.Kind == MdxKind.Tag))
                Nest(_source.AsSpan(tag.Start..tag.End), Indent(start));
        }
        else
        {
            var position = start + Outdent(start, line[0]);
            foreach (var span in line)
            {
                if (span.Kind == MdxKind.Text)
                    Copy(Math.Max(position, span.Start), span.End);
                else
                    AddMark(span);
            }
        }

        line.Clear();
    }

    /// <summary>True for a line with nothing but tags, comments and expressions, which MDX does not take for a paragraph.</summary>
    private bool IsFlow(List<MdxSpan> line, int content) =>
        line.Any(span => span.Kind is MdxKind.Tag or MdxKind.Comment or MdxKind.Expression)
        && line.TrueForAll(span => span.Kind is MdxKind.Tag or MdxKind.Comment or MdxKind.Expression
            || (span.Kind == MdxKind.Text && _source.AsSpan(Math.Max(span.Start, Math.Min(content, span.End))..span.End).IsWhiteSpace()));

    private void WriteBlock(MdxSpan span)
    {
        var lineEnd = _source.IndexOf('\n', span.Start) is var end and >= 0 ? Math.Min(end, span.End) : span.End;
        var line = _source.AsSpan(span.Start..lineEnd);
        var prefix = MdxScanner.PrefixLength(line, withListMarkers: span.Kind == MdxKind.CodeBlock);
        WritePrefix(span.Start, prefix);
        if (span.Kind != MdxKind.Admonition || AdmonitionTitle(line) is not { } title)
        {
            WriteBreak(span.Start + prefix, _source[(span.Start + prefix)..span.End].TrimEnd());
            return;
        }

        // The title becomes a paragraph of its own, which the mark keeps from being read as a list item or a heading.
        var (from, to) = (span.Start + title.Start.Value, span.Start + title.End.Value);
        WriteBreak(span.Start + prefix, $"{_source[(span.Start + prefix)..from]}…{_source[to..lineEnd]}".TrimEnd(), isBeforeTitle: true);
        WritePrefix(span.Start, prefix);
        _guards.Add(_text.Length);
        Append(Mark, from);
        _guards.Add(_text.Length);
        Append(' ', from);
        foreach (var inner in OpaqueElements.Join(_source[from..to]))
        {
            if (inner.Kind == MdxKind.Text)
                Copy(from + inner.Start, from + inner.End);
            else
                AddMark(new(inner.Kind, from + inner.Start, from + inner.End));
        }

        Append('\n', to);
        WritePrefix(span.Start, prefix);
        WriteBreak(to, "title");
    }

    /// <summary>Where the title of <c>:::note[Title]</c> or <c>:::note Title {.class}</c> is in its line; null without one.</summary>
    private static Range? AdmonitionTitle(ReadOnlySpan<char> line)
    {
        var start = line.IndexOf(':');
        while (start < line.Length && (line[start] == ':' || char.IsWhiteSpace(line[start])))
            start++;
        while (start < line.Length && (char.IsAsciiLetterOrDigit(line[start]) || line[start] is '-' or '_'))
            start++;

        var rest = line[start..];
        if (rest.StartsWith('['))
            return rest.LastIndexOf(']') is > 1 and var close ? new Range(start + 1, start + close) : null;

        var attributes = rest.IndexOf('{');
        var title = (attributes < 0 ? rest : rest[..attributes]).TrimEnd();
        var blank = title.Length - title.TrimStart().Length;

        return title.Length > blank ? new Range(start + blank, start + title.Length) : null;
    }

    private void WritePrefix(int lineStart, int length)
    {
        var outdent = Math.Min(length, Outdent(lineStart, null));
        // A lazy line after a quote or an item would otherwise take its text into it.
        Copy(lineStart + outdent, lineStart + length);
    }

    private void WriteBreak(int start, string content, bool isBeforeTitle = false)
    {
        _blocks[_text.Length] = new(content, isBeforeTitle);
        foreach (var character in Break)
            Append(character, start);
        Append('\n', start);
    }

    private void AddMark(MdxSpan span)
    {
        _marks[_text.Length] = span;
        // An address ends before a tag, but not before other punctuation.
        Append(span.Kind is MdxKind.Tag ? '<' : Mark, span.Start);
    }

    private void Copy(int start, int end)
    {
        for (var index = start; index < end; index++)
            Append(_source[index], index);
    }

    private void Append(char character, int offset)
    {
        _text.Append(character);
        _offsets.Add(offset);
    }

    private int Indent(int lineStart)
    {
        var index = lineStart;
        while (index < _source.Length && _source[index] is ' ' or '\t')
            index++;

        return index - lineStart;
    }

    /// <summary>How much of a line's indentation is due to the elements around it.</summary>
    private int Outdent(int lineStart, MdxSpan? first)
    {
        var indent = Indent(lineStart);
        if (_open.Count == 0 || first is { Kind: not MdxKind.Text } || lineStart + indent >= _source.Length || _source[lineStart + indent] == '\n')
            return 0;

        var inner = _open[^1];
        inner.ContentIndent ??= indent;

        return Math.Clamp(inner.ContentIndent.Value - _open[0].Indent, 0, indent);
    }

    private void Nest(ReadOnlySpan<char> tag, int indent)
    {
        var (name, isClosing, isWhole) = MdxTag.Read(tag);
        if (isClosing)
        {
            var index = _open.FindLastIndex(element => element.Name == name);
            if (index >= 0)
                _open.RemoveRange(index, _open.Count - index);
        }
        else if (!isWhole)
        {
            _open.Add(new(name, indent));
        }
    }

    private sealed record Element(string Name, int Indent)
    {
        public int? ContentIndent { get; set; }
    }
}
