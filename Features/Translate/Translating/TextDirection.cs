namespace ChatBackend.Features.Translate.Translating;

/// <summary>The direction in which a language is written.</summary>
internal static class TextDirection
{
    private static readonly HashSet<string> RightToLeftLanguages = new(
        ["ar", "arc", "ckb", "dv", "fa", "glk", "he", "iw", "khw", "ks", "lrc", "mzn", "nqo", "pnb", "ps", "sd", "skr", "syr", "ug", "ur", "yi"], StringComparer.OrdinalIgnoreCase);

    private static readonly HashSet<string> RightToLeftScripts = new(["Adlm", "Arab", "Aran", "Hebr", "Mand", "Nkoo", "Rohg", "Samr", "Syrc", "Thaa"], StringComparer.OrdinalIgnoreCase);

    /// <param name="language">A BCP 47 tag. Its script decides, if it has one: <c>ur-Latn</c> is written from left to right.</param>
    /// <returns><c>rtl</c> or <c>ltr</c>, as in HTML's <c>dir</c>.</returns>
    public static string Of(string language)
    {
        var parts = language.Split('-');
        var script = parts.Skip(1).FirstOrDefault(part => part.Length == 4 && char.IsAsciiLetter(part[0]));

        return (script is null ? RightToLeftLanguages.Contains(parts[0]) : RightToLeftScripts.Contains(script)) ? "rtl" : "ltr";
    }
}
