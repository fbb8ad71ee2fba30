namespace ChatBackend.Infrastructure.Configuration;

/// <summary>Prepares the environment variables before anything reads them.</summary>
internal static class EnvironmentFile
{
    /// <summary>Sets the variables of <c>.env</c> that the environment does not have, in development only. A blank variable counts as not
    /// set, in production too, because compose files write <c>NAME=</c> for "none".</summary>
    public static void Load(string path, bool isDevelopment)
    {
        if (isDevelopment && File.Exists(path))
        {
            foreach (var (name, value) in Parse(File.ReadLines(path)))
            {
                if (string.IsNullOrWhiteSpace(Environment.GetEnvironmentVariable(name)))
                    Environment.SetEnvironmentVariable(name, value);
            }
        }

        foreach (var setting in SettingsTable.All)
        {
            var value = Environment.GetEnvironmentVariable(setting.Name);
            if (value is not null && value.Trim() != value || value is "")
                Environment.SetEnvironmentVariable(setting.Name, value.Trim() is { Length: > 0 } trimmed ? trimmed : null);
        }
    }

    /// <summary>Reads <c>NAME=value</c> lines with <c>#</c> comments, and an optional <c>export</c> and quotes.</summary>
    public static IEnumerable<(string Name, string Value)> Parse(IEnumerable<string> lines) =>
        from line in lines
        let text = line.Trim()
        where text.Length > 0 && text[0] != '#'
        let assignment = text.StartsWith("export ", StringComparison.Ordinal) ? text["export ".Length..] : text
        let cut = assignment.IndexOf('=')
        where cut > 0
        select (assignment[..cut].Trim(), Unquote(assignment[(cut + 1)..].Trim()));

    private static string Unquote(string value)
    {
        if (value.Length >= 2 && value[0] is '"' or '\'' && value[^1] == value[0])
            return value[1..^1];
        // A comment after an unquoted value needs a space before it, because keys and URLs may contain a #.
        return value.IndexOf(" #", StringComparison.Ordinal) is >= 0 and var comment ? value[..comment].TrimEnd() : value;
    }
}
