using Microsoft.Extensions.FileSystemGlobbing;

namespace ChatBackend.Infrastructure.Docusaurus.Site;

/// <summary>Patterns of pages as in Docusaurus' <c>exclude</c>: <c>**/*.summary.md</c>, <c>drafts/**</c>, <c>**/{a,b}.md</c>.</summary>
internal sealed class PagePatterns
{
    private readonly List<(string Pattern, Matcher Matcher)> _patterns = [];

    public PagePatterns(IEnumerable<string> patterns)
    {
        foreach (var pattern in patterns)
        {
            var matcher = new Matcher(StringComparison.Ordinal);
            matcher.AddIncludePatterns(Alternatives(pattern));
            _patterns.Add((pattern, matcher));
        }
    }

    /// <param name="list">Comma-separated; commas in braces belong to the pattern.</param>
    public static IEnumerable<string> Split(string? list)
    {
        var (start, depth) = (0, 0);

        for (var index = 0; index <= (list ?? "").Length; index++)
        {
            if (index < list?.Length && (list[index] != ',' || depth > 0))
            {
                depth += list[index] is '{' ? 1 : list[index] is '}' ? -1 : 0;
                continue;
            }

            if (list?[start..index].Trim() is { Length: > 0 } pattern)
                yield return pattern;
            start = index + 1;
        }
    }

    /// <summary>The first pattern that the path matches; null for none.</summary>
    public string? Find(string path) => _patterns.FirstOrDefault(pattern => pattern.Matcher.Match(path).HasMatches).Pattern;

    private static IEnumerable<string> Alternatives(string pattern)
    {
        var open = pattern.LastIndexOf('{');
        var close = open < 0 ? -1 : pattern.IndexOf('}', open);

        return close < 0 ? [pattern] : pattern[(open + 1)..close].Split(',').SelectMany(part => Alternatives(pattern[..open] + part + pattern[(close + 1)..]));
    }
}
