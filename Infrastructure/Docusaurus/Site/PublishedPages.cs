using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Infrastructure.Docusaurus.Site;

/// <param name="LeftOut">Why the site does not publish the page; null if it does.</param>
/// <param name="Url">The page's address, where it is not the one that Docusaurus' rules give its path.</param>
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
    private readonly ILookup<string?, SitePage> _byId = (site?.Pages ?? []).ToLookup(page => page.Id, StringComparer.Ordinal);

    /// <summary>What the addresses have behind the docs' route (<see cref="BookFolders.Route"/>).</summary>
    public string? Version { get; init; }

    /// <param name="url">The address that was given with the page.</param>
    public PublishedPage Find(string path, string content, string? url = null)
    {
        if (CategoryFile.Is(path))
            return new(LeftOut: null);
        var (language, own) = PassageLanguage.Split(path);
        if (_excluded.Find(own) is { } pattern)
            return new($"It is excluded by {pattern}.");

        FrontMatter frontMatter;
        try
        {
            frontMatter = FrontMatter.Split(FrontMatter.Normalize(content)).FrontMatter;
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
        var ofFolder = OptionsOf(language);
        if (site is null)
        {
            var byRules = DocusaurusPaths.Url(own, frontMatter, ofFolder);

            return new(Claim(path, byRules), ofFolder == options ? null : byRules);
        }

        if (OnSite(own, frontMatter, ofFolder) is not { } page)
            return new("The built site does not have it.");

        var address = DocusaurusPaths.SiteUrl(page.Path, site.BasePath, options);

        return new(Claim(path, address), address, new(page.Anchors, page.Order));
    }

    /// <summary>The page at the address that Docusaurus' rules give, or else with the id. The address may be another document's by <c>slug</c>.</summary>
    private SitePage? OnSite(string path, FrontMatter frontMatter, SiteOptions ofFolder)
    {
        var id = DocusaurusPaths.Id(path, frontMatter);
        var page = _byRoute.GetValueOrDefault(DocusaurusPaths.Route(path, frontMatter, ofFolder));

        return page?.Id == id ? page : _byId[id].FirstOrDefault(other => $"/{other.Route}/".StartsWith(ofFolder.DocsRoute.TrimEnd('/') + "/", StringComparison.Ordinal)) ?? page;
    }

    /// <summary>The options with the route of a language and a version: <c>/ur/docs/1.0</c>.</summary>
    private SiteOptions OptionsOf(string? language)
    {
        if (language is null && Version is null)
            return options;

        var route = string.Join('/', new[] { language, options.DocsRoute.Trim('/'), Version }.Where(part => !string.IsNullOrEmpty(part)));

        return new() { BaseUrl = options.BaseUrl, TrailingSlash = options.TrailingSlash, DocsRoute = $"/{route}" };
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
