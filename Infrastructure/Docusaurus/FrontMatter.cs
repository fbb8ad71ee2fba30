using System.Globalization;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace ChatBackend.Infrastructure.Docusaurus;

/// <summary>The fields of a page's front matter that decide its title, its address and its place in the sidebar.</summary>
/// <param name="ParseNumberPrefixes">Docusaurus' <c>parse_number_prefixes</c>: whether <c>01-</c> is removed from the path.</param>
/// <param name="Draft">Docusaurus does not publish drafts, so a link to one would be broken.</param>
/// <param name="Description">What the page is about, for search engines; not shown on the page.</param>
internal sealed record FrontMatter(string? Title, string? Id, string? Slug, bool ParseNumberPrefixes = true, bool Draft = false, string? Description = null)
{
    /// <summary>Docusaurus publishes the page, but no sidebar and no search engine knows it.</summary>
    public bool Unlisted { get; init; }

    public double? SidebarPosition { get; init; }

    public string? SidebarLabel { get; init; }

    /// <summary>More than any page needs. The YAML scanner is slow on much longer hostile input.</summary>
    private const int MaxLength = 65_536;

    private const int MaxDepth = 32;

    /// <summary>A file's text without a byte order mark, and with line feeds only.</summary>
    public static string Normalize(string content) => content.TrimStart('\uFEFF').ReplaceLineEndings("\n");

    /// <summary>Splits a page (line feeds only) into its front matter and its body.</summary>
    /// <exception cref="DocumentException">The front matter is not closed, or is not valid YAML.</exception>
    public static (FrontMatter FrontMatter, string Body) Split(string content)
    {
        if (!content.StartsWith("---", StringComparison.Ordinal) || !IsDelimiter(FirstLine(content)))
            return (new(null, null, null), content);

        var start = FirstLine(content).Length + 1;

        for (var line = start; line <= content.Length;)
        {
            var end = content.IndexOf('\n', line);
            if (end < 0)
                end = content.Length;

            if (IsDelimiter(content.AsSpan(line, end - line)))
                return (Read(content[start..line]), content[Math.Min(end + 1, content.Length)..]);

            line = end + 1;
        }

        throw new DocumentException("The front matter opens with --- but has no closing --- line.");
    }

    private static ReadOnlySpan<char> FirstLine(string content) =>
        content.IndexOf('\n') is var end and >= 0 ? content.AsSpan(0, end) : content;

    private static bool IsDelimiter(ReadOnlySpan<char> line) => line.TrimEnd() is "---";

    private static FrontMatter Read(string yaml)
    {
        if (yaml.Length > MaxLength)
            throw new DocumentException($"The front matter is longer than {MaxLength} characters.");

        Dictionary<string, string?> fields;
        try
        {
            fields = TopLevelFields(new Parser(new StringReader(yaml)));
        }
        catch (YamlException exception)
        {
            throw new DocumentException(
                $"The front matter is not valid YAML (line {exception.Start.Line + 1}): {exception.Message}", exception);
        }

        return new(
            Text("title"), Text("id"), Text("slug"),
            ParseNumberPrefixes: !IsBoolean("parse_number_prefixes", false),
            Draft: IsBoolean("draft", true),
            Description: Text("description"))
        {
            Unlisted = IsBoolean("unlisted", true),
            SidebarPosition = double.TryParse(Text("sidebar_position"), CultureInfo.InvariantCulture, out var position) && double.IsFinite(position) ? position : null,
            SidebarLabel = Text("sidebar_label"),
        };

        string? Text(string name) => fields.GetValueOrDefault(name)?.Trim() is { Length: > 0 } text ? text : null;

        bool IsBoolean(string name, bool value) => bool.TryParse(fields.GetValueOrDefault(name), out var parsed) && parsed == value;
    }

    // YamlDotNet's object model is recursive, so a deeply nested page could overflow the stack. Its events are not.
    private static Dictionary<string, string?> TopLevelFields(Parser parser)
    {
        var fields = new Dictionary<string, string?>(StringComparer.Ordinal);
        var depth = 0;
        string? key = null;

        while (parser.MoveNext())
        {
            switch (parser.Current)
            {
                case SequenceStart or Scalar { Value.Length: > 0 } when depth == 0:
                    throw new DocumentException("The front matter is not a list of \"name: value\" lines.");
                case MappingStart or SequenceStart when ++depth > MaxDepth:
                    throw new DocumentException("The front matter is nested too deeply.");
                case MappingEnd or SequenceEnd when --depth == 1:
                    key = key is null ? "" : null;
                    break;
                case Scalar scalar when depth == 1 && key is null:
                    key = scalar.Value;
                    break;
                case Scalar scalar when depth == 1:
                    fields[key!] = scalar is { IsPlainImplicit: true, Value: "" or "~" or "null" } ? null : scalar.Value;
                    key = null;
                    break;
                case AnchorAlias when depth == 1:
                    key = key is null ? "" : null;
                    break;
            }
        }

        return fields;
    }
}
