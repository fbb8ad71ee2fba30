using System.Text;
using System.Text.RegularExpressions;
using Markdig;
using Markdig.Extensions.Mathematics;
using Markdig.Extensions.Tables;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace ChatBackend.Infrastructure.Ai.Offline;

/// <summary>A part of a passage that can be quoted by itself: a sentence, or a table's row with the table's head.</summary>
/// <param name="Text">One line of Markdown.</param>
/// <param name="Block">The number of its block in the passage, from 0.</param>
internal sealed record Quote(string Text, int Block, bool IsFirst)
{
    /// <summary>The table's two head lines, shown above its rows.</summary>
    public string? TableHead { get; init; }

    /// <summary>Whether it is the end of a sentence that a formula block interrupts; the text then begins with an ellipsis.</summary>
    public bool GoesOn { get; init; }

    /// <summary>The code right after its block, as a fenced block.</summary>
    public string? Code { get; set; }

    /// <summary>The list that the sentence introduces, one item per line.</summary>
    public string? List { get; set; }
}

/// <summary>Splits a passage into what can be quoted from it. Code and formulas are not split.</summary>
internal static partial class QuotableMarkdown
{
    private const int LongestCode = 30;
    private const int LongestList = 8;

    private static readonly MarkdownPipeline Pipeline = new MarkdownPipelineBuilder().UsePipeTables().UseMathematics().Build();

    // A full stop after these does not end a sentence.
    private static readonly string[] Abbreviations = ["e.g", "i.e", "etc", "vs", "cf", "fig", "eq", "ch", "sec", "approx", "dr", "prof", "no", "al", "mr", "mrs", "ms", "st", "jr", "sr", "vol", "pp", "ca", "gen", "col", "lt"];

    public static IReadOnlyList<Quote> Split(string markdown)
    {
        var source = Admonition().Replace(markdown.ReplaceLineEndings("\n"), "");
        var lines = source.Split('\n');
        var quotes = new List<Quote>();
        var blocks = Leaves(Parse(source)).ToList();
        for (var i = 0; i < blocks.Count; i++)
        {
            var next = i + 1 < blocks.Count ? blocks[i + 1] : null;
            switch (blocks[i])
            {
                case ParagraphBlock paragraph:
                    var sentences = Sentences(paragraph).Select((text, n) => n == 0 && GoesOn(paragraph, text) ? new Quote($"… {text}", i, true) { GoesOn = true } : new(text, i, n == 0)).ToList();
                    if (sentences.Count > 0)
                    {
                        if (next is FencedCodeBlock code && code.Lines.Count <= LongestCode)
                            foreach (var sentence in sentences)
                                sentence.Code = Fenced(code);
                        if (next is not null && sentences[^1].Text.EndsWith(':'))
                            sentences[^1].List = ListAfter(blocks, i);
                    }

                    quotes.AddRange(sentences);
                    break;
                case Table table when table.Line + 1 < lines.Length:
                    var head = $"{WithoutLinks(lines[table.Line].Trim())}\n{lines[table.Line + 1].Trim()}";
                    quotes.AddRange(table.OfType<TableRow>()
                        .Where(row => !row.IsHeader && row.Line < lines.Length)
                        .Select(row => new Quote(CleanRow(lines[row.Line].Trim()), i, IsFirst: false) { TableHead = head }));
                    break;
            }
        }

        return quotes;
    }

    private static MarkdownDocument Parse(string source)
    {
        try
        {
            return Markdown.Parse(source, Pipeline);
        }
        catch (ArgumentException)
        {
            // Markdig throws this for text that is nested too deeply.
            return [];
        }
    }

    /// <summary>Paragraphs (also in lists and quotes), code and tables, without headings and formula blocks.</summary>
    private static IEnumerable<Block> Leaves(ContainerBlock container)
    {
        foreach (var block in container)
        {
            if (block is (ParagraphBlock or FencedCodeBlock or Table) and not MathBlock)
                yield return block;
            else if (block is ContainerBlock inner)
                foreach (var leaf in Leaves(inner))
                    yield return leaf;
        }
    }

    private static string? ListAfter(List<Block> blocks, int announcement)
    {
        var items = blocks.Skip(announcement + 1).TakeWhile(b => b is ParagraphBlock { Parent: ListItemBlock }).Cast<ParagraphBlock>().ToList();

        return items.Count is 0 or > LongestList ? null : string.Join('\n', items.Select(item => $"- {string.Join(' ', Sentences(item))}"));
    }

    private static string Fenced(FencedCodeBlock code)
    {
        var text = code.Lines.ToString();
        var fence = new string('`', Math.Max(3, code.OpeningFencedCharCount));

        return $"{fence}{code.Info}\n{text}\n{fence}";
    }

    private static IEnumerable<string> Sentences(ParagraphBlock paragraph)
    {
        var text = new StringBuilder();
        // True for characters of code and formulas, in which no sentence ends.
        var isWhole = new List<bool>();
        if (paragraph.Inline is { } inline)
            Write(inline, text, isWhole);
        Clean(text, isWhole);

        var start = 0;
        for (var i = 0; i < text.Length; i++)
        {
            if (isWhole[i] || !EndsSentence(text, isWhole, start, i, out var end))
                continue;
            if (text.ToString(start, end - start).Trim() is { Length: > 0 } sentence)
                yield return sentence;
            start = i = end;
        }

        if (start < text.Length && text.ToString(start, text.Length - start).Trim() is { Length: > 0 } rest)
            yield return rest;
    }

    /// <summary>Whether a formula block interrupts a sentence that goes on in this paragraph.</summary>
    private static bool GoesOn(ParagraphBlock paragraph, string text) =>
        paragraph.Parent!.IndexOf(paragraph) is > 0 and var place && paragraph.Parent[place - 1] is MathBlock && char.IsLower(text[0]);

    private static bool EndsSentence(StringBuilder text, List<bool> isWhole, int start, int i, out int end)
    {
        end = i + 1;
        if (text[i] is '。' or '！' or '？')
            return true;
        if (text[i] is not ('.' or '!' or '?' or '…' or '؟' or '۔' or '।'))
            return false;

        while (end < text.Length && text[end] is '"' or '\'' or ')' or ']' or '”' or '’')
            end++;
        if (end >= text.Length)
            return true;
        if (!char.IsWhiteSpace(text[end]))
            return false;

        // A sentence does not start with a lower-case letter, unless it starts with code, or with a mark (". . .").
        var next = end;
        while (next < text.Length && char.IsWhiteSpace(text[next]))
            next++;
        if (next < text.Length && text[next] is '.' or '…' or '!' or '?')
            return false;
        if (next < text.Length && !isWhole[next] && char.IsLower(text[next]))
            return false;

        if (text[i] != '.')
            return true;
        var word = text.ToString(start, i - start).Split([' ', '(', '"']).Last().ToLowerInvariant();

        // A letter before the full stop is an initial (A. B. Smith), and so is one after another full stop (U.S., Ph.D.).
        return word is not ([>= 'a' and <= 'z'] or [.., '.', >= 'a' and <= 'z']) && !Abbreviations.Contains(word);
    }

    /// <summary>Text without emphasis, links and images, which depend on their page.</summary>
    private static void Write(ContainerInline container, StringBuilder text, List<bool> isWhole)
    {
        foreach (var inline in container)
        {
            switch (inline)
            {
                case LiteralInline literal:
                    Add(literal.Content.ToString(), whole: false);
                    break;
                case CodeInline code:
                    var ticks = new string('`', Math.Max(1, code.DelimiterCount));
                    Add($"{ticks}{code.Content}{ticks}", whole: true);
                    break;
                case MathInline math:
                    Add($"${math.Content}$", whole: true);
                    break;
                case LineBreakInline:
                    Add(" ", whole: false);
                    break;
                case HtmlEntityInline entity:
                    Add(entity.Transcoded.ToString(), whole: false);
                    break;
                case AutolinkInline link:
                    Add(link.Url, whole: true);
                    break;
                case LinkInline { IsImage: true } or HtmlInline:
                    break;
                case ContainerInline inner:
                    Write(inner, text, isWhole);
                    break;
            }
        }

        void Add(string added, bool whole)
        {
            text.Append(added);
            isWhole.AddRange(Enumerable.Repeat(whole, added.Length));
        }
    }

    /// <summary>The fences of Docusaurus' admonitions; the content between them stays.</summary>
    [GeneratedRegex(@"^[ \t]*:::.*$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Admonition();

    /// <summary>Cleans the prose between code and formulas, after its literals are joined.</summary>
    private static void Clean(StringBuilder text, List<bool> isWhole)
    {
        for (var end = text.Length; end > 0;)
        {
            var start = end - 1;
            while (start > 0 && isWhole[start - 1] == isWhole[start])
                start--;
            var prose = text.ToString(start, end - start);
            if (!isWhole[start] && Clean(prose) is var clean && clean != prose)
            {
                text.Remove(start, prose.Length).Insert(start, clean);
                isWhole.RemoveRange(start, prose.Length);
                isWhole.InsertRange(start, Enumerable.Repeat(false, clean.Length));
            }

            end = start;
        }
    }

    /// <summary>Text between backticks stays.</summary>
    private static string CleanRow(string row) =>
        string.Join('`', WithoutLinks(row).Split('`').Select((part, i) => i % 2 == 0 ? Clean(part) : part));

    /// <summary>The text of links, which depend on their page, and nothing of images.</summary>
    private static string WithoutLinks(string row) => Link().Replace(row, match => match.Groups["text"].Value + match.Groups["code"].Value);

    [GeneratedRegex(@"(?<code>`[^`]*`)|!\[[^\[\]]*\]\([^()]*\)|\[(?<text>[^\[\]]+)\]\([^()]*\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Link();

    /// <summary>Removes what looks like a citation: brackets around numbers, and footnote references.</summary>
    private static string Clean(string text) =>
        Brackets().Replace(text, match => match.Groups["number"].Success ? $"({match.Groups["number"].Value})" : "");

    [GeneratedRegex(@"\[\^[^\[\]\s]+\]|\[(?<number>[\d ,;]+)\]", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Brackets();
}
