using System.Text.RegularExpressions;
using ChatBackend.Features.Translate.Documents;

namespace ChatBackend.Tests.Features.Translate.Documents;

/// <summary>Translations that need no model.</summary>
internal static partial class Pseudo
{
    private const string Letters = "ابپتٹثجچحخدڈذرڑزژسشصضطظعغفقکگلم";

    /// <summary>Each word backwards, in letters of Urdu.</summary>
    public static string Urdu(string text) => Words().Replace(text, word => string.Concat(word.Value.Reverse().Select(letter => Letters[letter % Letters.Length])));

    /// <summary>The page with each text between placeholders translated. All translations must be sound.</summary>
    public static string Translated(string page, Func<string, string> translate)
    {
        var document = TranslatableDocument.Parse(page);
        var translations = document.Segments.ToDictionary(segment => segment.Index, segment => OfSegment(segment.Text, translate));
        var refused = new Dictionary<int, string>();
        var sound = document.Sound(translations, refused);
        Assert.True(refused.Count == 0, string.Join('\n', refused.Select(r => $"{document.Segments[r.Key].Text}: {r.Value}")));

        return document.Translate(sound, HeadingIds.Comment);
    }

    public static string OfSegment(string text, Func<string, string> translate) =>
        string.Concat(Placeholder().Split(text).Select(part => Placeholder().IsMatch(part) ? part : translate(part)));

    [GeneratedRegex(@"(</?[xg][0-9]+/?>)")]
    private static partial Regex Placeholder();

    [GeneratedRegex(@"\p{L}+")]
    private static partial Regex Words();
}
