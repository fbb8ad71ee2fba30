using ChatBackend.Infrastructure.Docusaurus.Site;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Ingest.Uploads;

/// <summary>Where one version of the book is in an archive: its docs, and its translations in <c>i18n/</c> beside them (<see cref="BookFolders"/>).</summary>
/// <param name="Docs">The folder of the version's pages, with a slash at its end; empty for the top.</param>
/// <param name="Site">The folder in which the docs folder is, likewise; null if the docs are the top.</param>
/// <param name="Version">Null for Docusaurus' current version.</param>
internal sealed record ZipLayout(string Docs, string? Site, string? Version)
{
    private static readonly string[] SiteFolders = ["docs/", "i18n/", "versioned_docs/"];

    /// <summary>The path of the list of versions.</summary>
    public string? Versions => Site is null ? null : $"{Site}versions.json";

    /// <param name="paths">The Markdown files.</param>
    /// <param name="root">The docs folder; null for <c>docs</c>, if all files are below it or beside it as in a site, else the top.</param>
    /// <param name="version">The version of the docs; null for Docusaurus' current version.</param>
    public static ZipLayout Of(IReadOnlyCollection<string> paths, string? root, string? version)
    {
        var isSite = paths.Any(path => path.StartsWith("docs/", StringComparison.Ordinal))
            && paths.All(path => SiteFolders.Any(folder => path.StartsWith(folder, StringComparison.Ordinal)));
        var docs = root is null ? (isSite ? "docs/" : "") : root.Trim('/') is { Length: > 0 } given ? $"{given}/" : "";
        var site = docs.Length == 0 ? null : docs[..(docs.TrimEnd('/').LastIndexOf('/') + 1)];
        return new(version is null || site is null ? docs : $"{site}versioned_docs/{BookFolders.NameOf(version)}/", site, version);
    }

    /// <summary>A file's path in the book; null if it is not of this version of the book.</summary>
    public string? PathInBook(string path)
    {
        if (path.StartsWith(Docs, StringComparison.Ordinal))
            return path[Docs.Length..];
        if (Site is null || !path.StartsWith($"{Site}i18n/", StringComparison.Ordinal) || path[$"{Site}i18n/".Length..].Split('/', 2) is not [var language, var rest])
            return null;

        var folder = $"{BookFolders.DocsPlugin}/{BookFolders.NameOf(Version)}/";
        return rest.StartsWith(folder, StringComparison.Ordinal) ? PassageLanguage.PathOf(language, rest[folder.Length..]) : null;
    }
}
