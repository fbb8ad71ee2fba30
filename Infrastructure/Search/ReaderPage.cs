using System.Text.RegularExpressions;

namespace ChatBackend.Infrastructure.Search;

/// <summary>The reader's page, and the addresses that an index may have for it.</summary>
internal static partial class ReaderPage
{
    /// <summary>The factor for passages on the reader's page. It decides between near equals, but lifts no poor match over a good one.</summary>
    public const double Lift = 1.15;

    private const int MaxUrls = 16;

    /// <summary>The addresses of the reader's page in the index, without query, fragment and trailing slash. The widget sends an absolute
    /// address, but the index may hold relative ones, with or without the site's base path.</summary>
    public static string[] Urls(string? pageUrl)
    {
        if (string.IsNullOrWhiteSpace(pageUrl))
            return [];
        var page = StoredText.Clean(pageUrl.Trim());
        if (page.IndexOfAny(['#', '?']) is >= 0 and var end)
            page = page[..end];
        page = page.TrimEnd('/');
        var path = Origin().Replace(page, "", 1);
        var urls = new List<string> { page };
        for (var slash = path.IndexOf('/'); slash >= 0 && urls.Count < MaxUrls; slash = path.IndexOf('/', slash + 1))
            urls.Add(path[slash..]);
        return [.. urls.Where(u => u.Length > 1).Distinct()];
    }

    [GeneratedRegex("^[a-z][a-z0-9+.-]*://[^/]*", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Origin();
}
