using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ChatBackend.Infrastructure.Search;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace ChatBackend.Infrastructure.Docusaurus;

/// <summary>A folder's <c>_category_.json</c>, <c>.yml</c> or <c>.yaml</c>: its name, place and description in the sidebar.</summary>
internal static class CategoryFile
{
    private const int MaxLength = 65_536;

    private const int MaxDepth = 32;

    /// <summary>Stands for the key in a sequence. No YAML text contains U+0000.</summary>
    private const string Item = "\0";

    public static bool Is(string path) => IsName(path.AsSpan(path.AsSpan().LastIndexOfAny('/', '\\') + 1));

    public static bool IsName(ReadOnlySpan<char> name) => name is "_category_.json" or "_category_.yml" or "_category_.yaml";

    /// <exception cref="DocumentException">The file is not valid YAML (or JSON).</exception>
    public static IndexedDocument Read(string path, string content)
    {
        var text = FrontMatter.Normalize(content);
        var fields = Fields(text);
        var folder = path.Split('/') is [.., var name, _] ? name : "";
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', MarkdownChunker.Version, path, text)));
        var label = fields.GetValueOrDefault("label");

        return new(path, label ?? DocusaurusPaths.WithoutNumberPrefix(folder), "", Convert.ToHexStringLower(hash), [])
        {
            Outline = new()
            {
                Position = double.TryParse(fields.GetValueOrDefault("position"), CultureInfo.InvariantCulture, out var position) && double.IsFinite(position) ? position : null,
                Label = PageOutline.Clean(label),
                Description = PageOutline.Clean(fields.GetValueOrDefault("description") ?? fields.GetValueOrDefault("link.description")),
                // As in Docusaurus, only a category that says nothing about its link is opened by the folder's index page.
                PageId = fields.GetValueOrDefault("link.type") == "doc" ? PageOutline.Clean(fields.GetValueOrDefault("link.id")?.Split('/')[^1])
                    : fields.Keys.Any(key => key == "link" || key.StartsWith("link.", StringComparison.Ordinal)) ? ""
                    : null,
            },
        };
    }

    /// <summary>The scalars of the outer mapping, and of the mappings in it as <c>link.type</c>.</summary>
    private static Dictionary<string, string?> Fields(string text)
    {
        if (text.Length > MaxLength)
            throw new DocumentException($"The category file is longer than {MaxLength} characters.");

        try
        {
            // A tab is white space in JSON, but no indentation in YAML.
            return Scalars(new Parser(new StringReader(text.Replace('\t', ' '))));
        }
        catch (YamlException exception)
        {
            throw new DocumentException($"The category file is not valid (line {exception.Start.Line + 1}): {exception.Message}", exception);
        }
    }

    // YamlDotNet's object model is recursive, so a deeply nested file could overflow the stack. Its events are not.
    private static Dictionary<string, string?> Scalars(Parser parser)
    {
        var fields = new Dictionary<string, string?>(StringComparer.Ordinal);
        // For each open collection the key whose value comes next; null where a key comes next.
        var open = new Stack<string?>();

        while (parser.MoveNext())
        {
            switch (parser.Current)
            {
                case MappingStart or SequenceStart when open.Count == MaxDepth:
                    throw new DocumentException("The category file is nested too deeply.");
                case MappingStart:
                    open.Push(null);
                    break;
                case SequenceStart:
                    open.Push(Item);
                    break;
                case MappingEnd or SequenceEnd:
                    open.Pop();
                    NextKey();
                    break;
                case Scalar key when open.TryPeek(out var expected) && expected is null:
                    open.Pop();
                    open.Push(key.Value);
                    break;
                case Scalar scalar:
                    if (open.Count is 1 or 2 && !open.Contains(Item))
                        fields[string.Join('.', open.Reverse())] = scalar is { IsPlainImplicit: true, Value: "" or "~" or "null" } || scalar.Value.Trim().Length == 0 ? null : scalar.Value.Trim();
                    NextKey();
                    break;
                case AnchorAlias:
                    NextKey();
                    break;
            }
        }

        return fields;

        void NextKey()
        {
            if (open.TryPeek(out var key) && key != Item)
            {
                open.Pop();
                open.Push(null);
            }
        }
    }
}
