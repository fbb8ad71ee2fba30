using ChatBackend.Infrastructure.Docusaurus;

namespace ChatBackend.Tests.Infrastructure.Docusaurus;

public sealed class DocusaurusPathsTests
{
    [Theory]
    [InlineData("nodes.md", "/docs/nodes")]
    [InlineData("module-1/nodes.mdx", "/docs/module-1/nodes")]
    [InlineData("module-1/01-nodes.md", "/docs/module-1/nodes")]
    [InlineData("01-module/02_Nodes.md", "/docs/module/Nodes")]
    [InlineData("1. Basics/003 - My Doc.md", "/docs/Basics/My%20Doc")]
    [InlineData("1---robot.md", "/docs/robot")]
    // Dates, versions and names that look like them are not number prefixes.
    [InlineData("2021-11-news.md", "/docs/2021-11-news")]
    [InlineData("7.0-foo.md", "/docs/7.0-foo")]
    [InlineData("01-2-arms.md", "/docs/01-2-arms")]
    [InlineData("01 - 3d-vision.md", "/docs/3d-vision")]
    [InlineData("2021.md", "/docs/2021")]
    [InlineData("01-.md", "/docs/01-")]
    [InlineData("a1-nodes.md", "/docs/a1-nodes")]
    // These files are their folder's page.
    [InlineData("index.md", "/docs/")]
    [InlineData("README.md", "/docs/")]
    [InlineData("module-1/index.mdx", "/docs/module-1/")]
    [InlineData("01-module/ReadMe.md", "/docs/module/")]
    [InlineData("arms/Arms.md", "/docs/arms/")]
    [InlineData("01-arms/01-arms.md", "/docs/arms/")]
    [InlineData("01-arms/arms.md", "/docs/arms/arms")]
    [InlineData("01-index.md", "/docs/index")]
    [InlineData("کتاب/روبوٹ.md", "/docs/%DA%A9%D8%AA%D8%A7%D8%A8/%D8%B1%D9%88%D8%A8%D9%88%D9%B9")]
    [InlineData("q&a/what+why?.md", "/docs/q&a/what+why%3F")]
    public void A_path_gives_the_address_that_Docusaurus_gives_it(string path, string expected) =>
        Assert.Equal(expected, DocusaurusPaths.Url(path, new(null, null, null), new()));

    [Theory]
    [InlineData("01-a/02-b.md", "custom", null, "/docs/a/custom")]
    [InlineData("a/index.md", "custom", null, "/docs/a/")]
    [InlineData("a/b.md", null, "/start", "/docs/start")]
    [InlineData("a/b.md", null, "/", "/docs/")]
    [InlineData("a/b.md", "custom", "c/d", "/docs/a/c/d")]
    [InlineData("01-a/b.md", null, "./c", "/docs/a/c")]
    [InlineData("a/b/c.md", null, "../d", "/docs/a/d")]
    [InlineData("a/b.md", null, "../../../d", "/docs/d")]
    [InlineData("a/index.md", null, "c", "/docs/a/c")]
    [InlineData("a/b.md", null, "/c/", "/docs/c/")]
    [InlineData("a/b.md", null, "/h%C3%B4", "/docs/h%C3%B4")]
    public void Front_matter_changes_the_address(string path, string? id, string? slug, string expected) =>
        Assert.Equal(expected, DocusaurusPaths.Url(path, new(null, id, slug), new()));

    [Theory]
    [InlineData("a/b.md", null, "/docs/a/b")]
    [InlineData("a/index.md", null, "/docs/a/")]
    [InlineData("a/b.md", true, "/docs/a/b/")]
    [InlineData("a/index.md", true, "/docs/a/")]
    [InlineData("a/b.md", false, "/docs/a/b")]
    [InlineData("a/index.md", false, "/docs/a")]
    [InlineData("index.md", false, "/docs")]
    public void Addresses_end_as_trailingSlash_says(string path, bool? trailingSlash, string url) =>
        Assert.Equal(url, DocusaurusPaths.Url(path, new(null, null, null), new() { TrailingSlash = trailingSlash }));

    [Fact]
    public void The_start_page_keeps_its_slash() =>
        Assert.Equal(
            ["https://book.example/", "https://book.example/base/"],
            new[] { "https://book.example", "https://book.example/base/" }.Select(site => DocusaurusPaths.Url("index.md", new(null, null, null), new() { BaseUrl = new(site), DocsRoute = "/", TrailingSlash = false })));

    [Fact]
    public void Number_prefixes_stay_where_the_page_says_so() =>
        Assert.Equal("/docs/01-a/02-b", DocusaurusPaths.Url("01-a/02-b.md", new(null, null, null, ParseNumberPrefixes: false), new()));

    [Theory]
    [InlineData(null, "/", "/a/")]
    [InlineData(null, "learn", "/learn/a/")]
    [InlineData("https://book.example", "/docs", "https://book.example/docs/a/")]
    [InlineData("https://book.example/", "/", "https://book.example/a/")]
    [InlineData("https://org.example:8443/book/", "/docs/", "https://org.example:8443/book/docs/a/")]
    [InlineData("/book/", "/docs", "/book/docs/a/")]
    public void The_sites_settings_decide_the_part_before_the_slug(string? baseUrl, string route, string expected) =>
        Assert.Equal(expected, DocusaurusPaths.Url("a/index.md", new(null, null, null), new()
        {
            BaseUrl = baseUrl is null ? null : new(baseUrl, UriKind.RelativeOrAbsolute),
            DocsRoute = route,
        }));
}
