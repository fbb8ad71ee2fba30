namespace ChatBackend.Infrastructure.Configuration;

/// <summary>
/// A glossary's file: a term a line that stays as it is, or <c>term = translation</c>; <c>[ur]</c> begins the lines for Urdu alone, <c>[*]</c> those
/// for every language; <c>#</c> begins a comment.
/// </summary>
internal static class GlossaryFile
{
    public const int MaxTermLength = 100;

    private const int MaxBytes = 256 * 1024;

    /// <summary>What is wrong with the file of this name; null if nothing is. Names the line, and not what is in it.</summary>
    public static string? Problem(string path)
    {
        string[] lines;
        try
        {
            if (new FileInfo(path).Length > MaxBytes)
                return "the file is larger than 256 KiB";
            lines = File.ReadAllLines(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return $"the file cannot be read ({e.GetType().Name})";
        }

        var seen = new HashSet<(string Section, string Term)>();
        var section = "*";
        for (var i = 0; i < lines.Length; i++)
        {
            var line = lines[i].Trim();
            if (line.Length == 0 || line.StartsWith('#'))
                continue;
            if (line.StartsWith('[') && line.EndsWith(']'))
            {
                section = line[1..^1].Trim();
                if (section != "*" && !section.All(c => char.IsAsciiLetterOrDigit(c) || c == '-') || section.Length is 0 or > 16)
                    return $"line {i + 1} of the file names no language: write [ur] or [*]";
                continue;
            }

            var equals = line.IndexOf('=');
            var term = (equals < 0 ? line : line[..equals]).Trim();
            if (term.Length is 0 or > MaxTermLength)
                return $"line {i + 1} of the file has no term of 1 to {MaxTermLength} characters";
            if (equals >= 0 && line[(equals + 1)..].Trim().Length is 0 or > MaxTermLength)
                return $"line {i + 1} of the file has no translation of 1 to {MaxTermLength} characters after its =";
            if (!seen.Add((section, term.ToUpperInvariant())))
                return $"line {i + 1} of the file has a term that is there before";
        }

        return null;
    }
}
