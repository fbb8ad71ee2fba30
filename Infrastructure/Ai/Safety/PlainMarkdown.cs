using System.Text.RegularExpressions;

namespace ChatBackend.Infrastructure.Ai.Safety;

/// <summary>Text in Markdown that shows as it is, such as a title.</summary>
internal static partial class PlainMarkdown
{
    public static string Of(string text) => Markup().Replace(text, @"\$0");

    [GeneratedRegex(@"[\\`*_\[\]<>]", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Markup();
}
