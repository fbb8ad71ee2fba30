using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Markdig.Helpers;

namespace ChatBackend.Infrastructure.Ai.Safety;

/// <summary>The parentheses after the text of a link or an image: destination and title.</summary>
/// <param name="IsSafe">Whether the destination is http, https, mailto or relative.</param>
/// <param name="Markdown">A form that all parsers read alike: the destination percent-encoded, the title only if it is plain.</param>
internal sealed partial record LinkTarget(int Length, bool IsSafe, string Markdown)
{
    /// <summary>A destination that is still encoded after this many rounds is not safe.</summary>
    private const int MostEncodings = 3;

    private static readonly HashSet<string> Schemes = new(["http", "https", "mailto"], StringComparer.OrdinalIgnoreCase);

    /// <summary>Parses the target that begins at <paramref name="start"/>; null if there is none.</summary>
    public static LinkTarget? Parse(string text, int start, int length)
    {
        var match = Parentheses().Match(text, start, length);
        if (!match.Success)
            return null;
        var destination = match.Groups["destination"].Value;
        var title = match.Groups["title"] is { Success: true, Value: var value } && PlainTitle().IsMatch(value) ? $" \"{value}\"" : "";

        return new(match.Length, IsAllowed(destination), $"({Encode(destination)}{title})");
    }

    /// <summary>True for http, https, mailto and relative. No round of decoding, as renderers and browsers do it, may yield another scheme.</summary>
    public static bool IsAllowed(string destination)
    {
        for (var round = 0; round <= MostEncodings; round++)
        {
            var head = destination[..(destination.AsSpan().IndexOfAny('/', '?', '#') is var end and >= 0 ? end : destination.Length)];
            if (head.IndexOf(':') is var colon and >= 0 && !Schemes.Contains(head[..colon]) || OpenEntity().IsMatch(destination))
                return false;
            var decoded = Uri.UnescapeDataString(HtmlHelper.Unescape(destination));
            if (decoded == destination)
                return true;
            destination = decoded;
        }

        return false;
    }

    /// <summary>The destination without entities and escapes; characters with a meaning in Markdown or HTML are percent-encoded.</summary>
    private static string Encode(string destination)
    {
        var encoded = new StringBuilder();
        foreach (var rune in HtmlHelper.Unescape(destination).EnumerateRunes())
        {
            if (rune.IsAscii ? char.IsAsciiLetterOrDigit((char)rune.Value) || "-._~:/?#@!&+,;=%*".Contains((char)rune.Value) : IsWord(rune))
                encoded.Append(rune.ToString());
            else
                encoded.Append(Uri.EscapeDataString(rune.ToString()));
        }

        // Keeps "&amp;copy;" from becoming "&copy;".
        return Entity().Replace(encoded.ToString(), "&amp;");

        static bool IsWord(Rune rune) => Rune.IsLetterOrDigit(rune) || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;
    }

    [GeneratedRegex(
        """
        \A\( [ \t\n]*
        (?: <(?<destination> (?: [^<>\\\n] | \\. )* )>
          | (?<destination> (?: [^\ \t\n()<\\] | \\[^\ \t\n] | \( (?: [^\ \t\n()<\\] | \\[^\ \t\n] )* \) )* ) )
        (?: [ \t\n]+ (?: "(?<title> (?: [^"\\\n] | \\. )* )" | '(?<title> (?: [^'\\\n] | \\. )* )' | \( (?<title> (?: [^()\\\n] | \\. )* ) \) ) )?
        [ \t\n]* \)
        """,
        RegexOptions.ExplicitCapture | RegexOptions.IgnorePatternWhitespace, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Parentheses();

    [GeneratedRegex("""^[^"<>\[\]`\\&|$\{}:^~]*$""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex PlainTitle();

    // Browsers decode these without a semicolon.
    [GeneratedRegex("&#(?:[0-9]+(?![0-9;])|x[0-9a-f]+(?![0-9a-f;]))", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex OpenEntity();

    [GeneratedRegex("&(?=[a-z0-9]+;)", RegexOptions.ExplicitCapture | RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Entity();
}
