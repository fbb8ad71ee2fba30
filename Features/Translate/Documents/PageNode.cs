namespace ChatBackend.Features.Translate.Documents;

/// <summary>A part of a block's prose. <paramref name="Start"/> and <paramref name="End"/> (exclusive) are offsets in <see cref="PageSource.Text"/>.</summary>
internal abstract record PageNode(int Start, int End);

/// <param name="Text">What the reader sees: without escapes and entities, and with a space for a line end.</param>
internal sealed record TextNode(int Start, int End, string Text) : PageNode(Start, End)
{
    /// <summary>Where each character of the text is in the source. Empty for a translation.</summary>
    public IReadOnlyList<(int Start, int End)> Characters { get; init; } = [];

    public TextNode Trim(bool atStart, bool atEnd)
    {
        var from = atStart ? Text.Length - Text.TrimStart().Length : 0;
        var to = atEnd ? Text.TrimEnd().Length : Text.Length;

        return new(Characters[from].Start, Characters[to - 1].End, Text[from..to]) { Characters = [.. Characters.Skip(from).Take(to - from)] };
    }
}

/// <summary>Code, a formula, an address, a tag, a comment, an expression, a footnote's mark or a hard line break: it stays as it is.</summary>
internal sealed record OpaqueNode(int Start, int End, OpaqueKind Kind) : PageNode(Start, End);

/// <summary>A link, an image, an emphasis or an element with prose inside of it.</summary>
/// <param name="Inner">Where the opening part ends.</param>
/// <param name="InnerEnd">Where the closing part begins.</param>
internal sealed record PairNode(int Start, int End, PairKind Kind, int Inner, int InnerEnd, IReadOnlyList<PageNode> Children) : PageNode(Start, End)
{
    /// <summary>Written instead of the closing part: <c>[text]</c> becomes <c>[translation][text]</c>, because the text is the link's label too.</summary>
    public string? Closing { get; init; }
}

internal enum OpaqueKind
{
    /// <summary>Code, a formula, an expression, a footnote's mark, a tag that stands for something, as an image does.</summary>
    Item,

    /// <summary>An address without brackets, which ends where a space follows.</summary>
    Address,

    LineBreak,

    /// <summary>A comment, or a heading's id.</summary>
    Comment,

    /// <summary>An opening or closing tag whose other half is elsewhere, or a tag that is a block of its own.</summary>
    Boundary,
}

internal enum PairKind
{
    Link,
    Image,
    Emphasis,

    /// <summary>An element that is part of a sentence.</summary>
    Element,

    /// <summary>An element with a text of its own, such as a cell.</summary>
    Block,
}
