namespace ChatBackend.Features.Translate.Documents;

/// <summary>A stretch of prose that is translated as one: a paragraph, a heading, a cell, a title, or the part of one between two tags.</summary>
/// <param name="Index">Its place in the document's segments, from 0.</param>
/// <param name="Block">The number of its block in the document, from 0. Blocks keep their order; several segments may be in one block.</param>
/// <param name="Text">
/// What a model translates: plain text without line ends, in which <c>&lt;x1/&gt;</c> stands for something that stays as it is (code, a formula, an
/// address), and <c>&lt;g2&gt;…&lt;/g2&gt;</c> encloses the text of a link, an image or an emphasis. The numbers begin at 1 in each segment. Of two
/// segments with the same text, one translation fits both.
/// </param>
/// <param name="FirstLine">The number of its first line in the document, from 1.</param>
/// <param name="LastLine">The number of its last line.</param>
internal sealed record Segment(int Index, int Block, SegmentKind Kind, string Text, int FirstLine, int LastLine)
{
    /// <summary>Milliseconds for a search in a text. They are those of the clock, not of the processor: a limit of a second has failed paragraphs of
    /// ten words on a machine that stood still.</summary>
    internal const int LongestMatch = 10_000;

    /// <summary>Where it begins in <see cref="PageSource.Text"/>.</summary>
    internal required int Start { get; init; }

    /// <summary>Where it ends (exclusive).</summary>
    internal required int End { get; init; }

    /// <summary>Empty for a value of the front matter, which has no markup.</summary>
    internal IReadOnlyList<PageNode> Nodes { get; init; } = [];

    /// <summary>True if nothing or only tags may stand before it in its line, so that <c>#</c> or <c>1.</c> would begin another block.</summary>
    internal bool BeginsBlock { get; init; }
}

internal enum SegmentKind
{
    /// <summary>The value of <c>title</c>, <c>description</c> or <c>sidebar_label</c>.</summary>
    FrontMatter,
    Heading,
    Paragraph,
    ListItem,
    TableCell,
    AdmonitionTitle,
    Footnote,
}
