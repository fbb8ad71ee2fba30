namespace ChatBackend.Infrastructure.Search;

/// <summary>Where the book is published: what citations link to.</summary>
internal sealed class SiteOptions
{
    /// <summary>The site's address with its base path; null makes citations relative to the site.</summary>
    [ConfigurationKeyName("SITE_BASE_URL")]
    public Uri? BaseUrl { get; set; }

    /// <summary>Docusaurus' <c>routeBasePath</c> of the docs plugin; <c>/</c> serves the docs at the root.</summary>
    [ConfigurationKeyName("DOCS_ROUTE")]
    public string DocsRoute { get; set; } = "/docs";
}
