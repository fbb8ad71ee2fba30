using ChatBackend.Infrastructure.Docusaurus;

namespace ChatBackend.Features.Translate.Documents;

/// <summary>Reads the name of a tag.</summary>
internal static class MdxTag
{
    private static readonly HashSet<string> Void = new(StringComparer.Ordinal)
    {
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "param", "source", "track", "wbr", "script", "style", "svg", "head", "Head",
    };

    /// <returns>The name, empty for a fragment; and whether the tag is a closing one, or needs no closing one because its span has it or there is none.</returns>
    public static (string Name, bool IsClosing, bool IsWhole) Read(ReadOnlySpan<char> tag)
    {
        var isClosing = tag.Length > 1 && tag[1] == '/';
        var name = tag[(isClosing ? 2 : 1)..];
        var length = 0;
        while (length < name.Length && (char.IsAsciiLetterOrDigit(name[length]) || name[length] is '.' or '-' or ':' or '_'))
            length++;

        var text = name[..length].ToString();

        return (text, isClosing, tag[^2] == '/' || Void.Contains(text) || (!isClosing && tag.EndsWith($"</{text}>", StringComparison.Ordinal)));
    }
}

/// <summary>The spans of a page, with each element of code in one span that includes its content.</summary>
internal static class OpaqueElements
{
    private static readonly HashSet<string> Names = new(StringComparer.Ordinal)
    {
        "code", "pre", "kbd", "samp", "var", "math", "textarea", "CodeBlock", "BrowserWindow.Code", "Latex", "Math", "InlineMath", "BlockMath",
    };

    /// <param name="body">The page without its front matter, with line feeds only.</param>
    public static IReadOnlyList<MdxSpan> Join(string body)
    {
        var spans = MdxScanner.Scan(body, wholeExpressions: true);
        if (!spans.Any(span => OpensCode(body, span)))
            return spans;

        var closes = Closes(body, spans);
        var joined = new List<MdxSpan>(spans.Count);
        for (var index = 0; index < spans.Count; index++)
        {
            var close = OpensCode(body, spans[index]) ? closes.GetValueOrDefault(index, index) : index;
            joined.Add(spans[index] with { End = spans[close].End });
            index = close;
        }

        return joined;
    }

    private static bool OpensCode(string body, MdxSpan span) =>
        span.Kind == MdxKind.Tag && MdxTag.Read(body.AsSpan(span.Start..span.End)) is { IsClosing: false, IsWhole: false, Name: var name } && Names.Contains(name);

    /// <summary>The index of the closing tag by that of its opening tag, for those that have one.</summary>
    private static Dictionary<int, int> Closes(string body, IReadOnlyList<MdxSpan> spans)
    {
        var closes = new Dictionary<int, int>();
        var open = new Dictionary<string, Stack<int>>(StringComparer.Ordinal);
        for (var index = 0; index < spans.Count; index++)
        {
            if (spans[index].Kind != MdxKind.Tag || MdxTag.Read(body.AsSpan(spans[index].Start..spans[index].End)) is not { IsWhole: false } tag)
                continue;
            if (!open.TryGetValue(tag.Name, out var same))
                open[tag.Name] = same = new();
            if (!tag.IsClosing)
                same.Push(index);
            else if (same.TryPop(out var opening))
                closes[opening] = index;
        }

        return closes;
    }
}
