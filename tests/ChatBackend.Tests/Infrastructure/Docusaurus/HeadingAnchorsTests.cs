using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search;
using Microsoft.Extensions.Options;

namespace ChatBackend.Tests.Infrastructure.Docusaurus;

public sealed class HeadingAnchorsTests
{
    [Theory]
    [InlineData("Nodes and Topics", "nodes-and-topics")]
    [InlineData("What's new in ROS 2?", "whats-new-in-ros-2")]
    [InlineData("C++ & Python", "c--python")]
    [InlineData("Arms – a view", "arms--a-view")]
    [InlineData("snake_case stays", "snake_case-stays")]
    [InlineData("1.2 Kinematics", "12-kinematics")]
    [InlineData("The `rclpy.init()` call", "the-rclpyinit-call")]
    [InlineData("See [the *docs*](https://example.com) **now**", "see-the-docs-now")]
    [InlineData("A \\*star\\* &amp; more", "a-star--more")]
    [InlineData("The $x^2$ term", "the-x2-term")]
    [InlineData("نوڈز کیا ہیں؟", "نوڈز-کیا-ہیں")]
    [InlineData("Über Größe", "über-größe")]
    [InlineData("हिन्दी में", "हिन्दी-में")]
    [InlineData("ΟΔΟΣ", "οδος")]
    [InlineData("Done ✅", "done-")]
    [InlineData("机器人 入门", "机器人-入门")]
    [InlineData("Custom {#my-ID}", "my-ID")]
    [InlineData("Custom *too* {#x.y}", "x.y")]
    [InlineData("Custom {/* #my-ID */}", "my-ID")]
    [InlineData("Custom {/*#my-ID*/}", "my-ID")]
    [InlineData("In a comment {/* #from-comment */}", "from-comment")]
    [InlineData("With a component <Badge text=\"new\">beta</Badge>", "with-a-component-beta")]
    public void A_heading_gets_the_anchor_that_Docusaurus_gives_it(string heading, string anchor) =>
        Assert.Equal(anchor, Assert.Single(Chunks($"## {heading}\n\nText.")).Anchor);

    [Fact]
    public void An_underlined_heading_may_have_its_id_in_a_comment() => Assert.Equal("own", Chunks("Underlined {/* #own */} \n---\n\nText.")[0].Anchor);

    [Fact]
    public void Repeated_headings_are_numbered_in_the_pages_order()
    {
        const string Text = "Enough words that this section stands alone, with more than one hundred characters of text in it, so nothing is joined.";

        var anchors = Chunks($"""
            # Setup

            ## Setup

            {Text}

            ## Setup 1

            {Text}

            > ## Setup

            ## Setup

            {Text}

            ## Other {"{#setup}"}

            {Text}
            """).Select(chunk => chunk.Anchor);

        // The page's title takes setup, the quoted heading takes setup-2, and a custom id is not counted.
        Assert.Equal(["setup-1", "setup-1-1", "setup-3", "setup"], anchors);
    }

    [Fact]
    public void A_first_level_heading_has_no_anchor_on_the_page() =>
        Assert.Null(Assert.Single(Chunks("# One\n\nText.")).Anchor);

    private static IReadOnlyList<Chunk> Chunks(string content) =>
        new MarkdownChunker(Options.Create(new SiteOptions())).Document("page.md", content).Chunks;
}
