namespace ChatBackend.Infrastructure.Ai.Offline;

/// <summary>Tells whether a text says what an acronym means: "zero moment point (ZMP)", "STO, safe torque off", "Quality of service".</summary>
internal static class Acronym
{
    private static readonly char[] Separators = [' ', '\n', '\t', '-', '–', '/', ',', '.', ';', ':', '!', '?', '"', '(', ')', '*', '_', '`', '‘', '’', '\''];

    /// <summary>Whether the text spells out one of the words that it writes as an acronym, or has it in brackets.</summary>
    /// <param name="words">A question's words; it may have the acronym in lower case.</param>
    public static bool IsSpelledOut(IReadOnlyList<string> words, string text)
    {
        var parts = text.Split(Separators, StringSplitOptions.RemoveEmptyEntries);
        foreach (var word in words)
        {
            if (Array.Find(parts, part => part.Equals(word, StringComparison.OrdinalIgnoreCase) && IsAcronym(part)) is not { } acronym)
                continue;
            if (text.Contains($"({word})", StringComparison.OrdinalIgnoreCase) || IsInitials(acronym, parts))
                return true;
        }

        return false;
    }

    /// <summary>Whether the text has words with these initials beside each other, as a heading may have.</summary>
    public static bool HasInitialsOf(string acronym, string text) =>
        IsAcronym(acronym) && IsInitials(acronym, text.Split(Separators, StringSplitOptions.RemoveEmptyEntries));

    /// <summary>At least two capitals: ZMP, QoS, LoRA, SS1.</summary>
    private static bool IsAcronym(ReadOnlySpan<char> word)
    {
        var capitals = 0;
        foreach (var letter in word)
        {
            if (!char.IsLetterOrDigit(letter))
                return false;
            capitals += char.IsUpper(letter) ? 1 : 0;
        }

        return capitals > 1;
    }

    private static bool IsInitials(string acronym, string[] words)
    {
        // Any text has two words with these initials somewhere.
        if (acronym.Length < 3)
            return false;
        for (var start = 0; start < words.Length; start++)
        {
            var (at, next) = (start, 0);
            for (; next < acronym.Length && at < words.Length; next++)
            {
                // LoRA, QoS: a small letter is the initial of a small word, or none.
                if (char.ToUpperInvariant(words[at][0]) == char.ToUpperInvariant(acronym[next]) && (words[at].Length > 1 || char.IsDigit(words[at][0])) && words[at] != acronym)
                    at++;
                else if (!char.IsLower(acronym[next]))
                    break;
            }

            if (next == acronym.Length && at > start + 1)
                return true;
        }

        return false;
    }
}
