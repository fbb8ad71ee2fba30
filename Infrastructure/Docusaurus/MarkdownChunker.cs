using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Search;
using Markdig;
using Markdig.Extensions.Footnotes;
using Markdig.Parsers;
using Markdig.Syntax;
using Microsoft.Extensions.Options;

namespace ChatBackend.Infrastructure.Docusaurus;

/// <summary>Divides a Docusaurus page into passages along its headings. A passage has at most <see cref="MaxTokens"/> tokens by
/// <see cref="TokenEstimate"/>. A code block, table or formula is divided only if it alone exceeds that.</summary>
internal sealed class MarkdownChunker(IOptions<SiteOptions> site)
{
    /// <summary>Part of every content hash. Change it whenever the chunker's output changes, so that all documents are ingested again.</summary>
    public const string Version = "4";

    /// <summary>The budget of a passage and of the tiny neighbours that are merged into it.</summary>
    public const int MaxTokens = Budget + (2 * Tiny);

    private const int Budget = 350;
    private const int Tiny = 25;

    private static readonly MarkdownPipeline Pipeline = CreatePipeline();

    /// <param name="path">The document's path in the book, which determines the address.</param>
    /// <param name="content">The source with its front matter.</param>
    /// <param name="title">Replaces the document's own title.</param>
    /// <param name="url">Replaces the address that Docusaurus would give the page.</param>
    /// <param name="onSite">What the built site has of the page, if that is known.</param>
    /// <param name="missing">Takes the anchors that the built site does not have.</param>
    /// <exception cref="DocumentException">The document cannot be read. The message says why.</exception>
    public IndexedDocument Document(string path, string content, string? title = null, string? url = null, DocumentOnSite? onSite = null, ICollection<string>? missing = null)
    {
        if (CategoryFile.Is(path))
            return CategoryFile.Read(NormalPath(path), content);

        var source = Read(path, content, title, url, onSite);
        var text = MdxText.ToMarkdown(source.Body);
        var tree = Parse(text);
        var anchors = new HeadingAnchors();
        var headings = tree.Descendants().OfType<HeadingBlock>().OrderBy(block => block.Span.Start).ToDictionary(block => block, anchors.Next);
        if (onSite is not null)
            KeepAnchorsOf(onSite, headings, missing);

        var pageTitle = title ?? source.FrontMatter.Title
            ?? tree.OfType<HeadingBlock>().Where(block => block.Level == 1).Select(block => headings[block].Text).FirstOrDefault(heading => heading.Length > 0)
            ?? TitleFromPath(source.Path);

        var chunks = Merge(Sections(tree, text, headings, pageTitle))
            .Select((draft, position) => new Chunk(position, [.. draft.Path.Select(heading => heading.Text)], draft.Anchor, draft.Text));

        IReadOnlyList<Chunk> passages = [.. chunks];
        if (passages.Count == 0 && source.FrontMatter.Description is { } description)
            passages = [new(0, [], Anchor: null, description)];

        return new(source.Path, pageTitle, source.Url, source.Hash, passages)
        {
            Outline = PageOutline.Of(source.Path, source.FrontMatter, tree, headings) with { Order = onSite?.Order },
        };
    }

    /// <summary>The content hash that <see cref="Document"/> would return, without chunking the page.</summary>
    /// <exception cref="DocumentException">The document cannot be read. The message says why.</exception>
    public (string ContentHash, bool IsDraft) Inspect(string path, string content, string? title = null, string? url = null, DocumentOnSite? onSite = null)
    {
        if (CategoryFile.Is(path))
            return (CategoryFile.Read(NormalPath(path), content).ContentHash, false);

        var source = Read(path, content, title, url, onSite);

        return (source.Hash, source.FrontMatter.Draft);
    }

    /// <summary>A heading whose anchor the site does not have gets that of the nearest heading above it.</summary>
    private static void KeepAnchorsOf(DocumentOnSite site, Dictionary<HeadingBlock, Heading> headings, ICollection<string>? missing)
    {
        string? above = null;

        foreach (var (block, heading) in headings.OrderBy(heading => heading.Key.Span.Start))
        {
            if (heading.Anchor is not { } anchor)
                continue;

            if (site.Anchors.Contains(anchor, StringComparer.Ordinal))
            {
                above = anchor;
                continue;
            }

            missing?.Add(anchor);
            headings[block] = heading with { Anchor = above };
        }
    }

    private Source Read(string path, string content, string? title, string? url, DocumentOnSite? onSite)
    {
        var normalPath = NormalPath(path);

        if (content.Contains('\0'))
            throw new DocumentException("The document contains the character U+0000; it may not be a text file.");

        var text = FrontMatter.Normalize(content);
        var (frontMatter, body) = FrontMatter.Split(text);
        var address = url ?? DocusaurusPaths.Url(normalPath, frontMatter, site.Value);

        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\0', [Version, normalPath, title, address, $"{onSite?.Order}", .. onSite?.Anchors ?? [], text])));

        return new(normalPath, frontMatter, body, address, Convert.ToHexStringLower(hash));
    }

    private static string NormalPath(string path)
    {
        var normal = path.Replace('\\', '/').Trim();
        if (normal.StartsWith("./", StringComparison.Ordinal))
            normal = normal[2..];

        if (normal.Length is 0 or > 1000 || normal.Contains('\0') || normal.Split('/').Any(part => part is "" or "." or ".."))
            throw new DocumentException("The path must be relative, with a name in each part: module-1/01-nodes.md.");

        return normal;
    }

    internal static MarkdownDocument Parse(string text, MarkdownPipeline? pipeline = null)
    {
        if (HasEndlessLinks(text))
            throw new DocumentException("The document has too many links that do not end: their address or title has no closing parenthesis or quotation mark.");
        try
        {
            return Markdown.Parse(text, pipeline ?? Pipeline);
        }
        catch (ArgumentException exception)
        {
            // Markdig limits nesting. Its message is written for programmers.
            throw new DocumentException("The document nests lists or quotes too deeply.", exception);
        }
    }

    /// <summary>
    /// Markdig looks for the end of a link's address and title, and then marks every bracket that is open around it. Where links do not end, each
    /// looks through the rest of the text, and 100,000 characters take seconds. Adds up how far it would look.
    /// </summary>
    private static bool HasEndlessLinks(ReadOnlySpan<char> text)
    {
        var (steps, most, open) = (0L, 20_000 + (20L * text.Length), 0);
        for (var i = 0; i < text.Length && steps <= most; i++)
        {
            if (text[i] == '[')
                open++;
            else if (text[i] == '\n' && text[(i + 1)..].StartsWith('\n'))
                open = 0;
            if (text[i] != ']')
                continue;
            if (text[(i + 1)..].StartsWith('('))
                steps += open + AddressAndTitleLength(text[(i + 2)..]);
            open = Math.Max(0, open - 1);
        }

        return steps > most;
    }

    private static int AddressAndTitleLength(ReadOnlySpan<char> rest)
    {
        var (end, open) = (0, 1);
        for (; end < rest.Length && !char.IsWhiteSpace(rest[end]); end++)
        {
            open += rest[end] switch { '(' => 1, ')' => -1, _ => 0 };
            if (open == 0)
                return end;
        }

        var title = rest[end..].TrimStart();
        if (title.IsEmpty || title[0] is not ('"' or '\'' or '('))
            return end;
        var close = title[1..].IndexOf(title[0] == '(' ? ')' : title[0]);
        return rest.Length - title.Length + (close < 0 ? title.Length : close);
    }

    private static MarkdownPipeline CreatePipeline()
    {
        var builder = new MarkdownPipelineBuilder().UsePipeTables().UseMathematics().UseFootnotes().DisableHtml();

        // MDX has no indented code: indentation only shows the nesting of JSX.
        builder.BlockParsers.TryRemove<IndentedCodeBlockParser>();

        return builder.Build();
    }

    /// <summary>One or more drafts per heading, in order. A heading without text of its own has one empty draft.</summary>
    private static List<Draft> Sections(MarkdownDocument tree, string text, Dictionary<HeadingBlock, Heading> headings, string title)
    {
        var pieces = new MarkdownPieces(text, Budget);
        var blocks = tree.SelectMany(block => block is FootnoteGroup group ? (IEnumerable<Block>)group : [block])
            .Where(block => block is not LinkReferenceDefinitionGroup)
            .OrderBy(block => block.Line)
            .ToList();
        var drafts = new List<Draft>();
        var path = new List<Heading>();
        var section = new List<string>();

        for (var index = 0; index < blocks.Count; index++)
        {
            var end = index + 1 < blocks.Count ? blocks[index + 1].Line : pieces.LineCount;

            if (blocks[index] is HeadingBlock block)
            {
                Close();

                var heading = headings[block];
                path.RemoveAll(above => above.Level >= heading.Level);
                path.Add(heading);
                continue;
            }

            section.AddRange(pieces.Of(blocks[index], blocks[index].Line, end));
        }

        Close();

        return drafts;

        void Close()
        {
            Heading[] shown = [.. path.Where(heading => heading.Text.Length > 0 && (heading.Level > 1 || heading.Text != title))];
            var anchor = path.LastOrDefault(heading => heading.Anchor is not null)?.Anchor;
            drafts.AddRange(Pack(section).Select(packed => new Draft(shown, anchor, packed)));

            if (section.Count == 0 && shown.Length > 0 && shown[^1] == path[^1])
                drafts.Add(new(shown, anchor, ""));

            section.Clear();
        }
    }

    /// <summary>Packs a section's pieces into passages, in order. A tiny piece joins its neighbour.</summary>
    private static List<string> Pack(List<string> pieces)
    {
        var packed = new List<(string Text, int Tokens)>();

        foreach (var piece in pieces)
        {
            var tokens = TokenEstimate.Of(piece) + 1;
            var fits = packed.Count > 0
                && (packed[^1].Tokens + tokens <= Budget || ((packed[^1].Tokens < Tiny || tokens < Tiny) && packed[^1].Tokens + tokens <= Budget + Tiny));

            if (fits)
                packed[^1] = ($"{packed[^1].Text}\n\n{piece}", packed[^1].Tokens + tokens);
            else
                packed.Add((piece, tokens));
        }

        return [.. packed.Select(part => part.Text)];
    }

    /// <summary>Merges small drafts. A few words under a heading join its first subsection, whose anchor is closer to the text.
    /// Tiny sibling sections become one draft under their parent, with its anchor, and with their headings in the text.</summary>
    private static List<Draft> Merge(List<Draft> drafts)
    {
        var merged = new List<Draft>();

        for (var index = 0; index < drafts.Count; index++)
        {
            var draft = drafts[index];
            var next = index + 1 < drafts.Count ? drafts[index + 1] : null;

            if (draft.IsTiny && next is not null && next.IsBelow(draft) && !IsContinued(index))
            {
                if (draft.Text.Length > 0)
                    drafts[index + 1] = next with { Text = $"{draft.Text}\n\n{next.WithHeading()}" };
                continue;
            }

            if (draft.IsTiny && (draft.Joined ?? (draft.Path is [.., var last] ? last : null)) is { } first && next is { IsTiny: true } && next.IsBeside(draft) && !IsContinued(index)
                && !(index + 2 < drafts.Count && drafts[index + 2].IsBelow(next)))
            {
                IReadOnlyList<Heading> parents = draft.Joined is null ? [.. draft.Path.SkipLast(1)] : draft.Path;
                var anchor = parents.LastOrDefault(heading => heading.Anchor is not null)?.Anchor;
                drafts[index + 1] = new Draft(parents, anchor, $"{draft.WithHeading()}\n\n{next.WithHeading()}") { Joined = first };
                continue;
            }

            merged.Add(draft.Text.Length > 0 ? draft : draft with { Text = draft.Path[^1].Text });
        }

        return merged;

        // A later part of a divided section belongs to the part before it.
        bool IsContinued(int index) => index > 0 && drafts[index].Joined is null && drafts[index - 1].Joined is null && drafts[index - 1].Path.SequenceEqual(drafts[index].Path);
    }

    private static string TitleFromPath(string path)
    {
        var parts = path.Split('/');
        var name = Path.GetFileNameWithoutExtension(parts[^1]);
        if (parts.Length > 1 && (name.Equals("index", StringComparison.OrdinalIgnoreCase) || name.Equals("readme", StringComparison.OrdinalIgnoreCase)))
            name = parts[^2];

        var words = DocusaurusPaths.WithoutNumberPrefix(name).Replace('-', ' ').Replace('_', ' ').Trim();

        return words.Length == 0 ? name : char.ToUpper(words[0], CultureInfo.InvariantCulture) + words[1..];
    }

    private sealed record Source(string Path, FrontMatter FrontMatter, string Body, string Url, string Hash);

    private sealed record Draft(IReadOnlyList<Heading> Path, string? Anchor, string Text)
    {
        /// <summary>The first heading of sections joined under their parent.</summary>
        public Heading? Joined { get; init; }

        public bool IsTiny => Text.Length < Tiny * 4 && TokenEstimate.Of(Text) < Tiny;

        public bool IsBelow(Draft other) => other.Joined is null && Path.Count > other.Path.Count && Path.Take(other.Path.Count).SequenceEqual(other.Path);

        public bool IsBeside(Draft other)
        {
            var heading = other.Joined ?? other.Path[^1];
            var parents = other.Joined is null ? other.Path.Count - 1 : other.Path.Count;

            return Path.Count == parents + 1 && Path[^1].Level == heading.Level && Path.Take(parents).SequenceEqual(other.Path.Take(parents)) && Path[^1] != heading;
        }

        public string WithHeading() => Joined is not null || Path.Count == 0 ? Text : $"{new string('#', Path[^1].Level)} {Path[^1].Text}\n\n{Text}".TrimEnd();
    }
}

/// <summary>What a built site has of a document.</summary>
/// <param name="Anchors">The ids of its headings.</param>
/// <param name="Order">Its place in the sidebar, from 0.</param>
internal sealed record DocumentOnSite(IReadOnlyList<string> Anchors, int Order);
