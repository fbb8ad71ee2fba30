using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Docusaurus.Site;

namespace ChatBackend.Tests.Infrastructure.Docusaurus.Site;

public sealed class PublishedPagesTests
{
    private static readonly SiteManifest Site = new("/base/",
    [
        new("/base/docs/a", "docs/a", "a", ["one"], 0),
        new("/base/docs/moved/", "docs/moved", "part/b", [], 1),
        new("/base/docs/same", "docs/same", "first", [], 2),
        new("/base/blog/part/c", "blog/part/c", "part/c", [], 3),
    ]);

    [Fact]
    public void Drafts_broken_pages_categories_and_given_addresses_are_left_to_the_ingest()
    {
        var pages = new PublishedPages(new(), [], Site);

        Assert.All(
            [pages.Find("x.md", "---\ndraft: true\n---\n"), pages.Find("y.md", "---\nopen"), pages.Find("_category_.json", "{}"), pages.Find("z.md", "Text", url: "/elsewhere")],
            page => Assert.Equal(new(LeftOut: null), page));
    }

    [Fact]
    public void A_page_gets_the_sites_form_of_its_address_and_its_anchors_and_place()
    {
        var page = new PublishedPages(new(), [], Site).Find("a.md", "Text");

        Assert.Equal("/base/docs/a", page.Url);
        Assert.Equal(["one"], page.OnSite!.Anchors);
        Assert.Equal("https://book.example/b/docs/a", new PublishedPages(new() { BaseUrl = new("https://book.example/b") }, [], Site).Find("a.md", "Text").Url);
    }

    [Fact]
    public void A_page_whose_address_no_rule_explains_is_found_by_its_id()
    {
        var page = new PublishedPages(new(), [], Site).Find("01-part/2-b.md", "Text");

        Assert.Equal("/base/docs/moved/", page.Url);
        Assert.Equal(1, page.OnSite!.Order);
    }

    [Fact]
    public void Another_plugins_page_and_the_loser_of_an_address_are_not_the_books()
    {
        var pages = new PublishedPages(new(), [], Site);

        Assert.Equal("The built site does not have it.", pages.Find("part/c.md", "Text").LeftOut);
        Assert.Null(pages.Find("first.md", "---\nslug: /same\n---\nText").LeftOut);
        Assert.Equal("Its address /base/docs/same is that of first.md, too.", pages.Find("second.md", "---\nslug: /same\n---\nText").LeftOut);
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("{}")]
    [InlineData("{\"base_path\":\"/\",\"pages\":[{}]}")]
    [InlineData("{\"base_path\":\"/base/\",\"pages\":[{\"path\":\"/a\",\"route\":\"a\",\"id\":\"a\",\"anchors\":[],\"order\":0}]}")]
    public void What_is_no_manifest_is_refused(string json) =>
        Assert.Contains("manifest", Assert.Throws<DocumentException>(() => SiteManifest.Parse(json)).Message);
}
