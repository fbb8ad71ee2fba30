using System.Text.Json;

namespace ChatBackend.Infrastructure.Docusaurus.Site;

/// <summary>The folders of one version of a book: the docs, and their translations in <c>i18n/</c> beside them.</summary>
/// <param name="Docs">The folder of the version in the book's own language.</param>
/// <param name="Route">What its addresses have behind the docs' route: <c>1.0</c> or <c>next</c>; null for the version that readers get by default.</param>
/// <param name="Translations">The folder of each other language.</param>
internal sealed record BookFolders(string Docs, string? Route, IReadOnlyList<(string Language, string Folder)> Translations)
{
    public const string DocsPlugin = "docusaurus-plugin-content-docs";

    /// <param name="docs">The docs folder of the site, such as <c>website/docs</c>.</param>
    /// <param name="version">A version of the docs plugin (<c>versioned_docs/version-…</c>); null for the docs folder itself, Docusaurus' current version.</param>
    /// <exception cref="DocumentException">There is no such version, or the list of versions is broken.</exception>
    public static BookFolders Find(string docs, string? version)
    {
        var site = Path.GetDirectoryName(Path.TrimEndingDirectorySeparator(Path.GetFullPath(docs)));
        if (site is null)
            return new(docs, null, []);

        var list = Path.Combine(site, "versions.json");
        var route = RouteOf(version, File.Exists(list) ? File.ReadAllText(list) : null);
        var folder = version is null ? docs : Path.Combine(site, "versioned_docs", NameOf(version));
        var name = NameOf(version);
        var translations = Directory.Exists(Path.Combine(site, "i18n"))
            ? Directory.EnumerateDirectories(Path.Combine(site, "i18n"))
                .Select(language => (Language: Path.GetFileName(language), Folder: Path.Combine(language, DocsPlugin, name)))
                .Where(translation => Directory.Exists(translation.Folder))
                .OrderBy(translation => translation.Language, StringComparer.Ordinal)
            : Enumerable.Empty<(string, string)>();

        return new(folder, route, [.. translations]);
    }

    /// <summary>The folder of a version, below <c>versioned_docs</c> or a translation's <see cref="DocsPlugin"/>.</summary>
    public static string NameOf(string? version) => version is null ? "current" : $"version-{version}";

    /// <summary><see cref="Route"/> of a version.</summary>
    /// <param name="version">Null for Docusaurus' current version.</param>
    /// <param name="list">The text of <c>versions.json</c>; null if there is none.</param>
    /// <exception cref="DocumentException">There is no such version, or the list of versions is broken.</exception>
    public static string? RouteOf(string? version, string? list)
    {
        var versions = Versions(list);
        if (version is not null && !versions.Contains(version, StringComparer.Ordinal))
            throw new DocumentException($"There is no version {version}: versions.json beside the docs has {(versions.Length == 0 ? "none" : string.Join(", ", versions))}.");

        return version is null ? (versions.Length > 0 ? "next" : null) : version == versions[0] ? null : version;
    }

    private static string[] Versions(string? list)
    {
        try
        {
            return list is null ? [] : JsonSerializer.Deserialize<string[]>(list) ?? [];
        }
        catch (JsonException exception)
        {
            throw new DocumentException($"versions.json is not a list of versions: {exception.Message}", exception);
        }
    }
}
