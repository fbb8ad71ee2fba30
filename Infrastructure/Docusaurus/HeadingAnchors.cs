using System.Globalization;
using System.Text;
using Markdig.Extensions.Footnotes;
using Markdig.Extensions.Mathematics;
using Markdig.Syntax;
using Markdig.Syntax.Inlines;

namespace ChatBackend.Infrastructure.Docusaurus;

/// <param name="Anchor">Without <c>#</c>; null for a first-level heading, to which Docusaurus gives no id.</param>
internal sealed record Heading(int Level, string Text, string? Anchor);

/// <summary>Computes the anchors of one page's headings as Docusaurus does: by the rules of GitHub's slugger. Repeated slugs are
/// numbered, and <c>{#custom-id}</c> or <c>{/* #custom-id */}</c> is taken literally.</summary>
internal sealed class HeadingAnchors
{
    private readonly Dictionary<string, int> _occurrences = new(StringComparer.Ordinal);

    /// <summary>Pass all headings in the page's order, including those in lists and quotes, because repeated slugs are numbered.</summary>
    public Heading Next(HeadingBlock heading) => Next(heading.Level, PlainText(heading.Inline));

    /// <inheritdoc cref="Next(HeadingBlock)"/>
    /// <param name="text">The heading's text without markup, but with its custom id.</param>
    public Heading Next(int level, string text)
    {
        var (plain, id) = SplitCustomId(text);

        // Docusaurus does not count custom ids, so it may give the same anchor to a later heading.
        var anchor = id ?? Unique(Slug(plain));

        return new(level, plain.Trim(), level == 1 || anchor.Length == 0 ? null : anchor);
    }

    /// <summary>Lower-cases, replaces spaces by hyphens, and removes all but letters, marks, digits, <c>_</c> and <c>-</c>.</summary>
    public static string Slug(string text)
    {
        var slug = new StringBuilder(text.Length);

        foreach (var rune in LowerCase(text).EnumerateRunes())
        {
            if (rune.Value == ' ')
                slug.Append('-');
            else if (IsKept(rune))
                slug.Append(rune.ToString());
        }

        return slug.ToString();
    }

    public static string PlainText(ContainerInline? inline)
    {
        var text = new StringBuilder();

        foreach (var node in inline?.Descendants() ?? [])
        {
            switch (node)
            {
                case LiteralInline literal:
                    text.Append(literal.Content.AsSpan());
                    break;
                case CodeInline code:
                    text.Append(code.Content);
                    break;
                case MathInline math:
                    text.Append(math.Content.AsSpan());
                    break;
                case AutolinkInline link:
                    text.Append(link.Url);
                    break;
                case HtmlEntityInline entity:
                    text.Append(entity.Transcoded.AsSpan());
                    break;
                case LineBreakInline:
                    text.Append(' ');
                    break;
                case FootnoteLink:
                    break;
            }
        }

        return text.ToString();
    }

    private string Unique(string slug)
    {
        var unique = slug;

        while (_occurrences.ContainsKey(unique))
            unique = $"{slug}-{++_occurrences[slug]}";

        _occurrences[unique] = 0;

        return unique;
    }

    private static (string Text, string? Id) SplitCustomId(string text)
    {
        var start = text.LastIndexOf('{');
        if (start < 0 || !text.EndsWith('}') || text.IndexOf('}', start) != text.Length - 1)
            return (text, null);

        var id = text.AsSpan(start + 1)[..^1];
        if (id.StartsWith("/*") && id.EndsWith("*/") && id.Length >= 4)
            id = id[2..^2].Trim();

        return id.Length > 1 && id[0] == '#' ? (text[..start].TrimEnd(), id[1..].ToString()) : (text, null);
    }

    // .NET maps each character to one character, but JavaScript follows two special cases of Unicode.
    private static string LowerCase(string text)
    {
        var lower = new StringBuilder(text.Replace("İ", "i\u0307", StringComparison.Ordinal).ToLowerInvariant());

        for (var index = text.IndexOf('Σ'); index >= 0 && lower.Length == text.Length; index = text.IndexOf('Σ', index + 1))
        {
            var endsWord = index > 0 && char.IsLetter(text[index - 1]) && (index + 1 == text.Length || !char.IsLetter(text[index + 1]));
            if (endsWord)
                lower[index] = 'ς';
        }

        return lower.ToString();
    }

    private static bool IsKept(Rune rune) => rune.Value == '-' || Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.UppercaseLetter or UnicodeCategory.LowercaseLetter or UnicodeCategory.TitlecaseLetter => true,
        UnicodeCategory.ModifierLetter or UnicodeCategory.OtherLetter or UnicodeCategory.LetterNumber => true,
        UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark or UnicodeCategory.EnclosingMark => true,
        UnicodeCategory.DecimalDigitNumber or UnicodeCategory.ConnectorPunctuation => true,
        // Circled and squared letters are symbols by category, but letters by Unicode's Alphabetic property.
        UnicodeCategory.OtherSymbol => rune.Value is (>= 0x24B6 and <= 0x24E9) or (>= 0x1F130 and <= 0x1F149) or (>= 0x1F150 and <= 0x1F169) or (>= 0x1F170 and <= 0x1F189),
        _ => false,
    };
}
