using System.ComponentModel.DataAnnotations;
using ChatBackend.Infrastructure.Ai.Safety;

namespace ChatBackend.Infrastructure.Docusaurus;

/// <summary>The book's title and language, and the address where it is published, to which citations link.</summary>
internal sealed class SiteOptions
{
    /// <summary>The book's title in plain text; null if unknown.</summary>
    [ConfigurationKeyName("BOOK_TITLE")]
    public string? BookTitle { get; set; }

    /// <summary>Questions that the widget shows as examples, separated by <c>|</c>; null for none.</summary>
    [ConfigurationKeyName("BOOK_QUESTIONS")]
    public string? BookQuestions { get; set; }

    public IReadOnlyList<string> ExampleQuestions =>
        BookQuestions?.Split('|', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    /// <summary>A BCP 47 tag. Questions in another language are translated for the search.</summary>
    [ConfigurationKeyName("BOOK_LANGUAGE"), Required]
    public string BookLanguage { get; set; } = "en";

    /// <summary>The site's address with its base path; null makes citations relative to the site.</summary>
    [ConfigurationKeyName("SITE_BASE_URL")]
    public Uri? BaseUrl { get; set; }

    /// <summary>Docusaurus' <c>routeBasePath</c> of the docs plugin; <c>/</c> serves the docs at the root.</summary>
    [ConfigurationKeyName("DOCS_ROUTE"), Required]
    public string DocsRoute { get; set; } = "/docs";

    /// <summary>Docusaurus' <c>trailingSlash</c>; null as there means that a folder's page has a slash at its end and other pages have none.</summary>
    [ConfigurationKeyName("TRAILING_SLASH")]
    public bool? TrailingSlash { get; set; }

    /// <summary>Patterns of pages that are not ingested, comma-separated, as in Docusaurus' <c>exclude</c>.</summary>
    [ConfigurationKeyName("INGEST_EXCLUDE")]
    public string? Exclude { get; set; }

    /// <summary>The book's title in italics, for a sentence of Markdown; <paramref name="otherwise"/> without a title.</summary>
    public string NameBook(string otherwise) => BookTitle is null ? otherwise : $"*{PlainMarkdown.Of(BookTitle)}*";
}
