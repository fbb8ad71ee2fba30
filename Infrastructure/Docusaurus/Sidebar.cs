using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Infrastructure.Docusaurus;

/// <summary>An entry of the sidebar: a page, or a folder with what is in it.</summary>
/// <param name="Name">The file's or folder's name, with its number prefix.</param>
/// <param name="Page">The page that the entry opens; null for a folder without one.</param>
/// <param name="Items">What is below it, in order; empty for a page.</param>
internal sealed record SidebarItem(string Name, string Label, string? Description, OutlinedDocument? Page, IReadOnlyList<SidebarItem> Items)
{
    public bool IsFolder { get; init; }

    public double? Position { get; init; }

    /// <summary>Its own page and those below it, in the order in which a reader turns them.</summary>
    public IEnumerable<OutlinedDocument> Pages => (Page is null ? [] : new[] { Page }).Concat(Items.SelectMany(item => item.Pages));
}

/// <summary>The sidebar that Docusaurus generates from the folders: sorted by <c>sidebar_position</c>, <c>_category_</c> files and number prefixes
/// (<c>sidebars/generator.js</c> of its docs plugin, 3.10).</summary>
internal static class Sidebar
{
    /// <remarks>Translations are left out: they have the same pages.</remarks>
    public static IReadOnlyList<SidebarItem> Of(IReadOnlyCollection<OutlinedDocument> documents)
    {
        documents = [.. documents.Where(d => PassageLanguage.Split(d.Path).Language is null)];
        var categories = documents.Where(d => CategoryFile.Is(d.Path)).GroupBy(d => FolderOf(d.Path)).ToDictionary(g => g.Key, g => g.OrderBy(d => d.Path, StringComparer.Ordinal).First());

        return Items("", documents.Where(d => !CategoryFile.Is(d.Path)).ToList(), categories);
    }

    private static SidebarItem[] Items(string folder, IReadOnlyCollection<OutlinedDocument> pages, IReadOnlyDictionary<string, OutlinedDocument> categories)
    {
        var below = folder.Length == 0 ? 0 : folder.Length + 1;
        var own = pages.Where(page => FolderOf(page.Path) == folder)
            .Select(page => new SidebarItem(page.Path[below..], page.Outline.Label ?? page.Title, page.Outline.Description, page, []) { Position = page.Outline.Position });
        var folders = pages.Where(page => FolderOf(page.Path) != folder)
            .GroupBy(page => page.Path[below..page.Path.IndexOf('/', below)])
            .Select(group => Folder(folder.Length == 0 ? group.Key : $"{folder}/{group.Key}", group.Key, [.. group], categories))
            .OfType<SidebarItem>();

        return [.. own.Concat(folders).OrderBy(item => item.Pages.Min(page => page.Outline.Order) ?? int.MaxValue).ThenBy(item => item.Position ?? double.PositiveInfinity).ThenBy(item => item.Name, StringComparer.Ordinal)];
    }

    /// <summary>Null for a folder that Docusaurus does not show, because nothing but a generated index is in it.</summary>
    private static SidebarItem? Folder(string folder, string name, IReadOnlyCollection<OutlinedDocument> pages, IReadOnlyDictionary<string, OutlinedDocument> categories)
    {
        var category = categories.GetValueOrDefault(folder)?.Outline;
        var items = Items(folder, pages, categories);
        var opening = items.FirstOrDefault(item => item is { IsFolder: false, Page: { } page } && (category?.PageId is { } id
            ? page.Outline.PageId == id
            : DocusaurusPaths.IsFolderPage(folder, Path.GetFileNameWithoutExtension(item.Name))));
        var rest = items.Where(item => item != opening).ToArray();

        return rest.Length == 0 && opening is null ? null
            : new(name, category?.Label ?? opening?.Label ?? DocusaurusPaths.WithoutNumberPrefix(name), category?.Description ?? opening?.Description, opening?.Page, rest)
            {
                IsFolder = true,
                Position = category?.Position ?? opening?.Position ?? DocusaurusPaths.NumberPrefix(name),
            };
    }

    private static string FolderOf(string path) => path.LastIndexOf('/') is >= 0 and var slash ? path[..slash] : "";
}
