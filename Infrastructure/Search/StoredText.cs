using System.Text;

namespace ChatBackend.Infrastructure.Search;

/// <summary>Text that PostgreSQL can store.</summary>
internal static class StoredText
{
    /// <summary>Stands between headings on the wire (the ASCII unit separator); no stored text holds it.</summary>
    public const char Separator = '\u001F';

    /// <summary>The text with what cannot be stored (U+0000, halves of surrogate pairs, our separator) as U+FFFD.</summary>
    public static string Clean(string text)
    {
        if (!NeedsCleaning(text))
            return text;

        var clean = new StringBuilder(text.Length);
        // The enumerator itself gives U+FFFD for a lone surrogate.
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
