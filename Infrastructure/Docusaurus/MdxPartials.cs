using System.Text;
using System.Text.RegularExpressions;
using Markdig.Syntax;

namespace ChatBackend.Infrastructure.Docusaurus;

/// <summary>Puts the pages that a page imports (<c>import Part from './_part.mdx'</c>) in the place of their tags (<c>&lt;Part/&gt;</c>).</summary>
internal sealed partial class MdxPartials
{
    /// <summary>How deep partials may import partials. Deeper tags are left as they are.</summary>
    public const int MaxDepth = 8;

    private readonly Func<string, CancellationToken, Task<string?>> _read;
    private readonly Dictionary<string, string?> _texts = new(StringComparer.Ordinal);

    private MdxPartials(Func<string, CancellationToken, Task<string?>> read) => _read = read;

    /// <summary>True if the page may import others.</summary>
    public static bool AreIn(string content) => Import().IsMatch(content);

    /// <param name="path">The page's path in the book.</param>
    /// <param name="content">The page with its front matter.</param>
    /// <param name="read">Reads a file by its path in the book; null if there is none.</param>
    /// <returns>The content itself if the page imports no other.</returns>
    /// <exception cref="DocumentException">A front matter is broken, or the page becomes too large.</exception>
    public static async Task<string> InlineAsync(string path, string content, Func<string, CancellationToken, Task<string?>> read, CancellationToken cancellationToken)
    {
        if (!AreIn(content))
            return content;

        var text = FrontMatter.Normalize(content);
        var body = FrontMatter.Split(text).Body;

        return text[..^body.Length] + await new MdxPartials(read).ExpandAsync(path, body, depth: 0, cancellationToken);
    }

    private async Task<string> ExpandAsync(string path, string body, int depth, CancellationToken cancellationToken)
    {
        var source = MdxText.UnwrapMdxBlocks(body);
        var spans = MdxScanner.Scan(source);
        var files = spans.Where(span => span.Kind == MdxKind.Module)
            .SelectMany(span => Import().Matches(source[span.Start..span.End]))
            .DistinctBy(import => import.Groups["name"].Value)
            .ToDictionary(import => import.Groups["name"].Value, import => Resolve(path, import.Groups["file"].Value), StringComparer.Ordinal);
        if (files.Count == 0 || depth == MaxDepth)
            return source;

        var expanded = new StringBuilder(source.Length);

        foreach (var span in spans)
        {
            var tag = source[span.Start..span.End];
            var text = span.Kind == MdxKind.Tag && files.GetValueOrDefault(TagName().Match(tag).Groups["name"].Value) is { } file
                ? await TextAsync(file, depth + 1, cancellationToken)
                : null;

            expanded.Append(text is null ? tag : $"\n\n{Indented(text, Indentation(source, span.Start))}\n\n");
            if (expanded.Length > BookFolder.MaxBytes)
                throw new DocumentException($"With the pages that it imports, the page is larger than {BookFolder.MaxBytes / 1024 / 1024} MB.");
        }

        return expanded.ToString();
    }

    private async Task<string?> TextAsync(string file, int depth, CancellationToken cancellationToken)
    {
        if (_texts.TryGetValue(file, out var known))
            return known;

        // A partial that imports itself is left out.
        _texts[file] = null;
        if (await _read(file, cancellationToken) is not { } content)
            return null;

        var body = FrontMatter.Split(FrontMatter.Normalize(content)).Body;

        return _texts[file] = WithAnchors(MdxText.ToMarkdown(await ExpandAsync(file, body, depth, cancellationToken)));
    }

    /// <summary>Writes each heading's anchor behind it, because Docusaurus numbers repeated anchors in each file on its own.</summary>
    private static string WithAnchors(string markdown)
    {
        var anchors = new HeadingAnchors();
        var text = new StringBuilder(markdown.Length);
        var written = 0;

        foreach (var block in MarkdownChunker.Parse(markdown).Descendants().OfType<HeadingBlock>().OrderBy(block => block.Span.Start))
        {
            if (anchors.Next(block).Anchor is not { } anchor)
                continue;

            var source = markdown.AsSpan(block.Span.Start, block.Span.Length).TrimEnd();
            var end = block.IsSetext ? source.LastIndexOf('\n') : source.Length - ClosingHashes().Match(source.ToString()).Length;
            if (end <= 0 || source[..end].TrimEnd().EndsWith('}'))
                continue;

            text.Append(markdown, written, block.Span.Start + end - written).Append($" {{#{anchor}}}");
            written = block.Span.Start + end;
        }

        return text.Append(markdown, written, markdown.Length - written).ToString().Trim();
    }

    /// <summary>The file's path in the book. Of <c>@site/docs/…</c> the first folder is the book's.</summary>
    private static string Resolve(string page, string file)
    {
        var parts = file.StartsWith("@site/", StringComparison.Ordinal) ? [] : page.Split('/').SkipLast(1).ToList();

        foreach (var part in file.Split('/').Skip(file.StartsWith("@site/", StringComparison.Ordinal) ? 2 : 0))
        {
            if (part == ".." && parts.Count > 0)
                parts.RemoveAt(parts.Count - 1);
            else if (part != ".")
                parts.Add(part);
        }

        return string.Join('/', parts);
    }

    /// <summary>The spaces before a tag that begins its line.</summary>
    private static string Indentation(string source, int start)
    {
        var line = source.AsSpan(0, start);
        line = line[(line.LastIndexOf('\n') + 1)..];

        return line.IsWhiteSpace() ? line.ToString() : "";
    }

    private static string Indented(string text, string indentation) =>
        indentation.Length == 0 ? text : string.Join('\n', text.Split('\n').Select(line => line.Length == 0 ? line : indentation + line));

    [GeneratedRegex("""import\s+(?<name>[A-Z][A-Za-z0-9_]*)\s+from\s+["'](?<file>[^"'\n]+\.mdx?)["']""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Import();

    [GeneratedRegex(@"^<(?<name>[A-Z][A-Za-z0-9_]*)[\s/>]", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex TagName();

    [GeneratedRegex(@"[ \t]+#+$", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex ClosingHashes();
}
