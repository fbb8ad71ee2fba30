using System.Text;
using System.Text.Json;
using AngleSharp.Html.Dom;
using AngleSharp.Html.Parser;

namespace ChatBackend.Infrastructure.Docusaurus.Site;

/// <summary>What a built site publishes.</summary>
/// <param name="BasePath">Docusaurus' <c>baseUrl</c>: the path of the site's start page, which begins and ends with a slash.</param>
/// <param name="Pages">The pages in the sidebar's order; those that no sidebar has come last.</param>
internal sealed record SiteManifest(string BasePath, IReadOnlyList<SitePage> Pages)
{
    /// <summary>The largest manifest in an upload: that of a site with many thousand pages.</summary>
    public const int MaxBytes = 4 * 1024 * 1024;

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        RespectNullableAnnotations = true,
        RespectRequiredConstructorParameters = true,
    };

    /// <param name="path">A <c>build</c> folder, or a file with a manifest.</param>
    /// <exception cref="DocumentException">It is neither.</exception>
    public static async Task<SiteManifest> LoadAsync(string path, CancellationToken cancellationToken) =>
        File.Exists(path) ? Parse(await File.ReadAllTextAsync(path, cancellationToken)) : await ReadAsync(path, cancellationToken);

    /// <summary>Reads the HTML files of a <c>build</c> folder.</summary>
    /// <exception cref="DocumentException">There is no such folder, or no page of Docusaurus in it.</exception>
    public static async Task<SiteManifest> ReadAsync(string build, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(build))
            throw new DocumentException($"There is no folder {build}.");

        string[] files = [.. Directory.EnumerateFiles(build, "*.html", SearchOption.AllDirectories)];
        var pages = new BuiltPage?[files.Length];
        await Parallel.ForAsync(0, files.Length, cancellationToken, async (index, token) =>
        {
            await using var file = File.OpenRead(files[index]);
            using var document = await new HtmlParser().ParseDocumentAsync(file, token);
            pages[index] = BuiltPage.Read(Path.GetRelativePath(build, files[index]).Replace(Path.DirectorySeparatorChar, '/'), document);
        });

        var found = pages.OfType<BuiltPage>().OrderBy(page => page.Page.Path, StringComparer.Ordinal).ToList();
        if (found.Count == 0)
            throw new DocumentException($"There is no page of Docusaurus in {build}. It is the folder that `docusaurus build` writes.");

        var basePath = found.GroupBy(page => page.BasePath ?? "/", StringComparer.Ordinal).MaxBy(pages => pages.Count())!.Key;
        var slash = found.Exists(page => page.BasePath == basePath && page.Page is { Route.Length: > 0 } own && own.Path.EndsWith('/')) ? "/" : "";
        found = [.. found.Select(page => page.BasePath == basePath ? page : page with { Page = page.Page with { Path = $"{basePath}{page.Page.Route}{slash}" } })];

        return new(basePath, InSidebarOrder(found, basePath));
    }

    /// <inheritdoc cref="Parse(ReadOnlySpan{byte})"/>
    public static SiteManifest Parse(string json) => Parse(Encoding.UTF8.GetBytes(json));

    /// <param name="json">In UTF-8: a manifest may have megabytes, and as a string twice as many.</param>
    /// <exception cref="DocumentException">The file is not a manifest.</exception>
    public static SiteManifest Parse(ReadOnlySpan<byte> json)
    {
        try
        {
            var site = JsonSerializer.Deserialize<SiteManifest>(json, Json) ?? throw new DocumentException("The site's manifest is empty.");
            // The serializer lets null into lists.
            if (site.Pages.Any(page => page is null || page.Anchors.Contains(null!)))
                throw new DocumentException("The site's manifest has a page or an anchor that is null.");
            if (site.Pages.FirstOrDefault(page => !page.Path.StartsWith(site.BasePath, StringComparison.Ordinal)) is { } outside)
                throw new DocumentException($"The site's manifest has the page {outside.Path}, which is not below {site.BasePath}.");
            if (site.Pages.GroupBy(page => page.Route, StringComparer.Ordinal).FirstOrDefault(same => same.Count() > 1) is { } same)
                throw new DocumentException($"The site's manifest has two pages with the route {same.Key}.");
            return site;
        }
        catch (JsonException exception)
        {
            throw new DocumentException($"The site's manifest cannot be read: {exception.Message}", exception);
        }
    }

    public string ToJson() => JsonSerializer.Serialize(this, Json);

    // Collapsed categories of the sidebar are not in the HTML, but each page links to the next.
    private static IReadOnlyList<SitePage> InSidebarOrder(List<BuiltPage> pages, string basePath)
    {
        var byRoute = pages.ToDictionary(page => page.Page.Route, StringComparer.Ordinal);
        var followers = pages.Select(page => page.NextRoute(basePath)).OfType<string>().ToHashSet(StringComparer.Ordinal);
        var ordered = new List<SitePage>();
        var placed = new HashSet<string>(StringComparer.Ordinal);

        foreach (var first in pages.Where(page => page.Next is not null && !followers.Contains(page.Page.Route)))
        {
            for (BuiltPage? page = first; page is not null && placed.Add(page.Page.Route); page = byRoute.GetValueOrDefault(page.NextRoute(basePath) ?? ""))
                ordered.Add(page.Page);
        }

        ordered.AddRange(pages.Where(page => placed.Add(page.Page.Route)).Select(page => page.Page));

        return [.. ordered.Select((page, order) => page with { Order = order })];
    }

    /// <param name="BasePath">Null if the page names another page as its canonical one.</param>
    /// <param name="Next">The link to the page after it.</param>
    private sealed record BuiltPage(SitePage Page, string? BasePath, string? Next)
    {
        public static BuiltPage? Read(string file, IHtmlDocument document)
        {
            // The page for missing addresses, and the pages that only redirect, have no content.
            if (file == "404.html" || document.QuerySelector("#__docusaurus") is null)
                return null;

            var route = file.EndsWith("index.html", StringComparison.Ordinal) && (file.Length == 10 || file[^11] == '/') ? file[..^10].TrimEnd('/') : file[..^5];
            var canonical = document.QuerySelector("link[rel=canonical]")?.GetAttribute("href");
            var path = Uri.TryCreate(canonical, UriKind.Absolute, out var address) ? Uri.UnescapeDataString(address.AbsolutePath) : $"/{route}";
            var trimmed = path.TrimEnd('/');
            var basePath = route.Length == 0 ? $"{trimmed}/" : trimmed.EndsWith($"/{route}", StringComparison.Ordinal) ? trimmed[..^route.Length] : null;

            var next = document.QuerySelector("a.pagination-nav__link--next")?.GetAttribute("href");
            var id = document.DocumentElement.ClassList.FirstOrDefault(name => name.StartsWith(SitePage.IdClass, StringComparison.Ordinal))?[SitePage.IdClass.Length..];
            string[] anchors = [.. document.QuerySelectorAll("h1[id], h2[id], h3[id], h4[id], h5[id], h6[id]").Select(heading => heading.Id!).Distinct(StringComparer.Ordinal)];

            return new(new(path, route, id, anchors, Order: 0), basePath, next);
        }

        public string? NextRoute(string basePath)
        {
            if (Next is null)
                return null;

            var path = Uri.UnescapeDataString(Next).Trim('/');
            var prefix = basePath.Trim('/');

            return prefix.Length > 0 && path.StartsWith($"{prefix}/", StringComparison.Ordinal) ? path[(prefix.Length + 1)..] : path;
        }
    }
}

/// <param name="Path">The path in the form that the site uses, with or without a slash at its end; not percent-encoded.</param>
/// <param name="Route">The path below the site's base, without slashes at its ends.</param>
/// <param name="Id">Docusaurus' id of the document; null for other pages.</param>
/// <param name="Anchors">The ids of the headings, in the page's order.</param>
/// <param name="Order">Its place in the sidebar, from 0.</param>
internal sealed record SitePage(string Path, string Route, string? Id, IReadOnlyList<string> Anchors, int Order)
{
    /// <summary>Begins the class of the html element that names the document.</summary>
    public const string IdClass = "docs-doc-id-";
}
