namespace ChatBackend.Infrastructure.Docusaurus.Site;

/// <param name="LeftOut">Why the site does not publish the page; null if it does.</param>
/// <param name="Url">The page's address on the built site; null if no built site is known, or if the address was given.</param>
/// <param name="OnSite">What the built site has of it; null if no built site is known.</param>
internal sealed record PublishedPage(string? LeftOut, string? Url = null, DocumentOnSite? OnSite = null);

/// <summary>Decides which pages of one upload the site publishes, and where. Ask in the order of the paths: of two pages with one address the first wins,
/// as in Docusaurus.</summary>
/// <param name="exclude">Patterns besides those of the settings.</param>
/// <param name="site">The built site, which is right where the rules are not.</param>
internal sealed class PublishedPages(SiteOptions options, IEnumerable<string> exclude, SiteManifest? site)
{
    private readonly PagePatterns _excluded = new([.. PagePatterns.Split(options.Exclude), .. exclude]);
    private readonly Dictionary<string, string> _paths = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SitePage> _byRoute = (site?.Pages ?? []).ToDictionary(page => page.Route, StringComparer.Ordinal);
    private readonly Dictionary<string, SitePage> _byId = (site?.Pages ?? [])
        .Where(page => page.Id is not null && $"/{page.Route}/".StartsWith(options.DocsRoute.TrimEnd('/') + "/", StringComparison.Ordinal))
        .DistinctBy(page => page.Id)
        .ToDictionary(page => page.Id!, StringComparer.Ordinal);

    /// <param name="url">The address that was given with the page.</param>
    public PublishedPage Find(string path, string content, string? url = null)
    {
        if (CategoryFile.Is(path))
            return new(LeftOut: null);
        if (_excluded.Find(path) is { } pattern)
            return new($"It is excluded by {pattern}.");

        FrontMatter frontMatter;
        try
        {
            frontMatter = FrontMatter.Split(content.TrimStart('\uFEFF').ReplaceLineEndings("\n")).FrontMatter;
        }
        catch (DocumentException)
        {
            // The ingest says what is wrong with it.
            return new(LeftOut: null);
        }

        if (frontMatter.Draft || url is not null)
            return new(LeftOut: null);
        if (frontMatter.Unlisted)
            return new("It is unlisted.");
        if (site is null)
            return new(Claim(path, DocusaurusPaths.Url(path, frontMatter, options)));
        if (OnSite(path, frontMatter) is not { } page)
            return new("The built site does not have it.");

        var address = DocusaurusPaths.SiteUrl(page.Path, site.BasePath, options);

        return new(Claim(path, address), address, new(page.Anchors, page.Order));
    }

    /// <summary>The page at the address that Docusaurus' rules give, or else with the id. The address may be another document's by <c>slug</c>.</summary>
    private SitePage? OnSite(string path, FrontMatter frontMatter)
    {
        var id = DocusaurusPaths.Id(path, frontMatter);
        var page = _byRoute.GetValueOrDefault(DocusaurusPaths.Route(path, frontMatter, options));

        return page?.Id == id ? page : _byId.GetValueOrDefault(id) ?? page;
    }

    private string? Claim(string path, string url)
    {
        var winner = _paths.GetValueOrDefault(url.TrimEnd('/'));
        if (winner is not null && winner != path)
            return $"Its address {url} is that of {winner}, too.";

        _paths[url.TrimEnd('/')] = path;

        return null;
    }
}
