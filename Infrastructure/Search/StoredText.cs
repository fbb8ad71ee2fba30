using System.Text;

namespace ChatBackend.Infrastructure.Search;

/// <summary>Text that PostgreSQL can store.</summary>
internal static class StoredText
{
    /// <summary>Separates headings in a parameter (the ASCII unit separator); no stored text contains it.</summary>
    public const char Separator = '\u001F';

    /// <summary>Replaces characters that cannot be stored (U+0000, lone surrogates, our separator) with U+FFFD.</summary>
    public static string Clean(string text)
    {
        if (!NeedsCleaning(text))
            return text;

        var clean = new StringBuilder(text.Length);
        foreach (var rune in text.EnumerateRunes())
            clean.Append(rune.Value is 0 or Separator ? Rune.ReplacementChar : rune);
        return clean.ToString();
    }

    private static bool NeedsCleaning(string text)
    {
        foreach (var c in text)
            if (c is '\0' or Separator || char.IsSurrogate(c))
                return true;
        return false;
    }
}
