using System.Globalization;
using System.Text;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Infrastructure.Docusaurus;

/// <summary>The address that Docusaurus 3 gives a page with its default settings (the default <c>numberPrefixParser</c>, one version, one
/// language).</summary>
internal static class DocusaurusPaths
{
    /// <summary>The page's address for citations: absolute if the site's address is known, else relative to the site's root.</summary>
    /// <param name="path">The document's path below the docs folder, with forward slashes.</param>
    public static string Url(string path, FrontMatter frontMatter, SiteOptions site)
    {
        var (origin, basePath) = Base(site.BaseUrl);

        return origin + PageUrl.Encode(WithSlash(Join(basePath, site.DocsRoute, Slug(path, frontMatter)), site.TrailingSlash, Join(basePath)));
    }

    /// <summary>The address of a page of a built site, in the site's form.</summary>
    /// <param name="sitePath">Begins with <paramref name="siteBase"/>.</param>
    public static string SiteUrl(string sitePath, string siteBase, SiteOptions site)
    {
        var (origin, basePath) = Base(site.BaseUrl);

        return origin + PageUrl.Encode(site.BaseUrl is null ? sitePath : Join(basePath, sitePath[siteBase.Length..]));
    }

    /// <summary>The path below the site's base, not percent-encoded and without slashes at its ends.</summary>
    public static string Route(string path, FrontMatter frontMatter, SiteOptions site) => Uri.UnescapeDataString(Join(site.DocsRoute, Slug(path, frontMatter)).Trim('/'));

    /// <summary>Docusaurus' id of the document.</summary>
    public static string Id(string path, FrontMatter frontMatter)
    {
        var slash = path.LastIndexOf('/');
        var name = Path.GetFileNameWithoutExtension(path[(slash + 1)..]);
        var id = frontMatter.Id ?? (frontMatter.ParseNumberPrefixes ? WithoutNumberPrefix(name) : name);

        return slash < 0 ? id : $"{WithoutPrefixes(path[..slash], frontMatter)}/{id}";
    }

    /// <summary>Removes a name's number prefix: <c>01-nodes</c>, <c>1. nodes</c> and <c>01 - nodes</c> become <c>nodes</c>.
    /// Names that begin like a date or a version (<c>2021-11-news</c>, <c>7.0-foo</c>, also <c>1-2-robots</c>) are kept.</summary>
    public static string WithoutNumberPrefix(string name)
    {
        var digits = CountWhile(name, 0, char.IsAsciiDigit);
        if (digits == 0)
            return name;

        if (digits + 1 < name.Length && IsSeparator(name[digits]) && char.IsAsciiDigit(name[digits + 1]))
            return name;

        var separator = digits + CountWhile(name, digits, char.IsWhiteSpace);
        var separators = CountWhile(name, separator, IsSeparator);
        var rest = separator + separators;
        rest += CountWhile(name, rest, char.IsWhiteSpace);

        // Docusaurus keeps the prefix if another separator follows it, as in "01- -x".
        return separators == 0 || rest == name.Length || IsSeparator(name[rest]) ? name : name[rest..];
    }

    /// <summary>The number that <see cref="WithoutNumberPrefix"/> removes; null for none.</summary>
    public static double? NumberPrefix(string name) =>
        WithoutNumberPrefix(name).Length == name.Length ? null : double.Parse(name[..CountWhile(name, 0, char.IsAsciiDigit)], CultureInfo.InvariantCulture);

    /// <summary>Whether the file is its folder's own page: <c>index</c>, <c>readme</c>, or named like the folder with its number:
    /// <c>01-arm/01-arm.md</c> is, <c>01-arm/arm.md</c> is not.</summary>
    public static bool IsFolderPage(string folder, string name) =>
        name.Equals("index", StringComparison.OrdinalIgnoreCase) || name.Equals("readme", StringComparison.OrdinalIgnoreCase)
        || name.Equals(folder[(folder.LastIndexOf('/') + 1)..], StringComparison.OrdinalIgnoreCase);

    private static string WithSlash(string path, bool? trailingSlash, string start)
    {
        if (trailingSlash is null || path == start)
            return path;

        return trailingSlash.Value ? path.TrimEnd('/') + "/" : path.TrimEnd('/');
    }

    private static string Slug(string path, FrontMatter frontMatter)
    {
        var slash = path.LastIndexOf('/');
        var folder = slash < 0 ? "" : path[..slash];
        var name = Path.GetFileNameWithoutExtension(path[(slash + 1)..]);
        var folderSlug = folder.Length == 0 ? "/" : $"/{WithoutPrefixes(folder, frontMatter)}/";

        if (frontMatter.Slug is { } slug)
            return slug.StartsWith('/') ? slug : Resolve(slug, folderSlug);

        if (IsFolderPage(folder, name))
            return folderSlug;

        return Resolve(frontMatter.Id ?? (frontMatter.ParseNumberPrefixes ? WithoutNumberPrefix(name) : name), folderSlug);
    }

    private static string WithoutPrefixes(string folder, FrontMatter frontMatter) =>
        frontMatter.ParseNumberPrefixes ? string.Join('/', folder.Split('/').Select(WithoutNumberPrefix)) : folder;

    private static string Resolve(string relative, string folder)
    {
        var parts = new List<string>();

        foreach (var part in (folder + relative).Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == "..")
                parts.RemoveRange(Math.Max(0, parts.Count - 1), Math.Min(1, parts.Count));
            else if (part != ".")
                parts.Add(part);
        }

        var isFolder = relative.EndsWith('/') || relative is "." or ".." || relative.EndsWith("/.", StringComparison.Ordinal) || relative.EndsWith("/..", StringComparison.Ordinal);

        return parts.Count == 0 ? "/" : $"/{string.Join('/', parts)}{(isFolder ? "/" : "")}";
    }

    private static (string Origin, string Path) Base(Uri? baseUrl)
    {
        if (baseUrl is null)
            return ("", "");

        // On Linux, Uri reads "/book/" as a file, but it is a path on the site.
        return baseUrl is { IsAbsoluteUri: true, IsFile: false }
            ? (baseUrl.GetLeftPart(UriPartial.Authority), Uri.UnescapeDataString(baseUrl.AbsolutePath))
            : ("", baseUrl.OriginalString);
    }

    private static string Join(params ReadOnlySpan<string> parts)
    {
        var joined = new StringBuilder("/");

        foreach (var part in parts)
        {
            foreach (var character in $"/{part}")
            {
                if (character != '/' || joined[^1] != '/')
                    joined.Append(character);
            }
        }

        return joined.ToString();
    }

    private static bool IsSeparator(char character) => character is '-' or '_' or '.';

    private static int CountWhile(string text, int start, Func<char, bool> holds)
    {
        var index = start;

        while (index < text.Length && holds(text[index]))
            index++;

        return index - start;
    }
}
