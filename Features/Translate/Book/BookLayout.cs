using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Docusaurus.Site;

namespace ChatBackend.Features.Translate.Book;

/// <param name="Pages">The pages that Docusaurus publishes, and the partials that they import, in ordinal order.</param>
/// <param name="Others">Everything else that a page may show or import: images, data, components. Docusaurus looks for it beside the translated page.</param>
/// <param name="Skipped">Files that have a page's name but are not pages, with the reason.</param>
internal sealed record BookSources(IReadOnlyList<string> Pages, IReadOnlyList<string> Others, IReadOnlyList<(string Path, string Reason)> Skipped);

/// <summary>Where the files of a book are, and where those of its translation go in Docusaurus' <c>i18n</c> folder.</summary>
/// <param name="Docs">The folder of the book.</param>
/// <param name="Output">The folder of the translated pages, such as <c>i18n/ur/docusaurus-plugin-content-docs/current</c>.</param>
/// <param name="Root">The language's folder, <c>i18n/ur</c>; <paramref name="Output"/> itself where it is in no such folder.</param>
internal sealed partial record BookLayout(string Docs, string Output, string Root)
{
    /// <exception cref="DocumentException">The translation would be among the pages of the book, or the book among those of the translation.</exception>
    public static BookLayout Of(string folder, string? output, string language)
    {
        var docs = Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
        output = Path.TrimEndingDirectorySeparator(Path.GetFullPath(output ?? DefaultOutput(docs, language)));
        if (IsWithin(output, docs) || IsWithin(docs, output))
            throw new DocumentException($"The translation cannot be written to {output}: it and the book must not be in each other.");

        var plugin = Path.GetDirectoryName(output)!;
        var isInLayout = Path.GetFileName(plugin).StartsWith(BookFolders.DocsPlugin, StringComparison.Ordinal) && Path.GetDirectoryName(plugin) is not null;

        return new(docs, output, isInLayout ? Path.GetDirectoryName(plugin)! : output);
    }

    /// <summary>What paths below <see cref="Root"/> begin with that are in <see cref="Output"/>.</summary>
    public string Prefix => Root == Output ? "" : $"{Path.GetRelativePath(Root, Output).Replace(Path.DirectorySeparatorChar, '/')}/";

    /// <summary>The path below <see cref="Root"/> of a file in <see cref="Output"/>.</summary>
    public string InRoot(string path) => Prefix + path;

    /// <summary>The files with texts that <c>docusaurus write-translations</c> has written: the sidebar's labels, the theme's and the site's texts.</summary>
    public IEnumerable<string> Messages()
    {
        if (Root == Output)
            return [];

        var theme = Path.Combine(Root, "docusaurus-theme-classic");

        return new[] { $"{Prefix.TrimEnd('/')}.json", "code.json" }
            .Concat(Directory.Exists(theme) ? Directory.EnumerateFiles(theme, "*.json").Order(StringComparer.Ordinal).Select(file => $"docusaurus-theme-classic/{Path.GetFileName(file)}") : [])
            .Where(file => File.Exists(Path.Combine(Root, file)));
    }

    /// <summary>Reads the pages, to find the partials that they import.</summary>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist.</exception>
    public async Task<BookSources> FindAsync(CancellationToken cancellationToken)
    {
        var book = BookFolder.Find(Docs);
        var pages = new SortedSet<string>(book.Pages, StringComparer.Ordinal);
        var unread = new Queue<string>(book.Pages);
        while (unread.TryDequeue(out var page))
        {
            foreach (var partial in await PartialsAsync(page, cancellationToken))
            {
                if (pages.Add(partial))
                    unread.Enqueue(partial);
            }
        }

        var others = Files(Docs).Where(path => !pages.Contains(path) && !IsPage(path) && !CategoryFile.Is(path)).Order(StringComparer.Ordinal);

        return new([.. pages], [.. others], book.Skipped);
    }

    private async Task<IEnumerable<string>> PartialsAsync(string page, CancellationToken cancellationToken)
    {
        try
        {
            var folder = Path.GetDirectoryName(Path.Combine(Docs, page))!;

            return (from import in Import().Matches(await BookFolder.ReadAsync(Docs, page, cancellationToken))
                    let file = Path.GetFullPath(import.Groups["file"].Value, folder)
                    where IsWithin(file, Docs) && File.Exists(file)
                    select Path.GetRelativePath(Docs, file).Replace(Path.DirectorySeparatorChar, '/')).ToArray();
        }
        catch (DocumentException)
        {
            // It is read again to be translated, and fails there.
            return [];
        }
    }

    private static IEnumerable<string> Files(string folder)
    {
        foreach (var entry in new DirectoryInfo(folder).EnumerateFileSystemInfos("*", SearchOption.AllDirectories))
        {
            var path = Path.GetRelativePath(folder, entry.FullName).Replace(Path.DirectorySeparatorChar, '/');
            // A link may lead anywhere; only files of the book are copied.
            if (entry is FileInfo { LinkTarget: null } && !path.Split('/').Any(name => name.StartsWith('.') || name is "node_modules"))
                yield return path;
        }
    }

    private static string DefaultOutput(string docs, string language)
    {
        var parent = Path.GetDirectoryName(docs) ?? docs;
        var isVersion = Path.GetFileName(parent) == "versioned_docs";
        var site = isVersion ? Path.GetDirectoryName(parent) ?? parent : parent;

        return Path.Combine(site, "i18n", language, BookFolders.DocsPlugin, isVersion ? Path.GetFileName(docs) : BookFolders.NameOf(version: null));
    }

    private static bool IsPage(string path) => path.EndsWith(".md", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".mdx", StringComparison.OrdinalIgnoreCase);

    private static bool IsWithin(string path, string folder) => path == folder || path.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal);

    [GeneratedRegex("""\bfrom\s+["'](?<file>\.[^"'\n]+\.mdx?)["']""", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Import();
}
