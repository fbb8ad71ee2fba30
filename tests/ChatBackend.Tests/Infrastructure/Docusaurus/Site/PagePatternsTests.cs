using ChatBackend.Infrastructure.Docusaurus.Site;

namespace ChatBackend.Tests.Infrastructure.Docusaurus.Site;

public sealed class PagePatternsTests
{
    [Theory]
    [InlineData("**/*.summary.md", "a.summary.md", true)]
    [InlineData("**/*.summary.md", "a/b/c.summary.md", true)]
    [InlineData("**/*.summary.md", "a/summary.md", false)]
    [InlineData("*.md", "a.md", true)]
    [InlineData("*.md", "a/b.md", false)]
    [InlineData("drafts/**", "drafts/a/b.md", true)]
    [InlineData("**/drafts/**", "a/drafts/b.md", true)]
    [InlineData("a/b.md", "a/b.md", true)]
    [InlineData("a/b.md", "A/b.md", false)]
    [InlineData("**/{old,new}/*.{md,mdx}", "a/new/b.mdx", true)]
    [InlineData("**/{old,new}/*.{md,mdx}", "a/other/b.mdx", false)]
    public void A_pattern_matches_as_in_Docusaurus(string pattern, string path, bool matches) =>
        Assert.Equal(matches ? pattern : null, new PagePatterns([pattern]).Find(path));

    [Fact]
    public void A_list_is_split_at_commas_outside_of_braces() =>
        Assert.Equal(["a", "{b,c}/d", "e"], PagePatterns.Split("a, {b,c}/d ,,e"));
}
