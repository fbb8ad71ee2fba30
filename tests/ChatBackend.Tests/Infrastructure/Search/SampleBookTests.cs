using System.Runtime.CompilerServices;
using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Docusaurus;
using Microsoft.Extensions.Options;

namespace ChatBackend.Tests.Infrastructure.Search;

public sealed partial class SampleBookTests
{
    private static readonly string Folder = Path.GetFullPath(Path.Combine(Path.GetDirectoryName(ThisFile())!, "../../../../sample-book"));

    public static TheoryData<string> Chapters() => [.. BookFolder.Find(Folder).Pages.Where(page => page != "README.md")];

    [Theory]
    [MemberData(nameof(Chapters))]
    public void A_chapter_becomes_passages_whose_anchors_are_headings_of_the_page(string chapter)
    {
        var content = File.ReadAllText(Path.Combine(Folder, chapter));
        var document = new MarkdownChunker(Options.Create(new SiteOptions())).Document(chapter, content);
        var anchors = Anchors(content);

        Assert.True(document.Chunks.Count >= 4);
        Assert.All(document.Chunks, chunk =>
        {
            Assert.True(chunk.Anchor is null || anchors.Contains(chunk.Anchor), chunk.Anchor);
            Assert.InRange(TokenEstimate.Of(chunk.Text), 1, MarkdownChunker.MaxTokens);
            Assert.DoesNotContain("@theme/", chunk.Text, StringComparison.Ordinal);
            Assert.DoesNotContain("<TabItem", chunk.Text, StringComparison.Ordinal);
            Assert.DoesNotContain(":::", chunk.Text, StringComparison.Ordinal);
        });
    }

    [Theory]
    [MemberData(nameof(Chapters))]
    public void A_link_to_a_heading_of_another_chapter_finds_it(string chapter)
    {
        var content = File.ReadAllText(Path.Combine(Folder, chapter));

        foreach (Match link in Link().Matches(content))
        {
            var page = link.Groups["page"].Value;
            var target = page.Length == 0 ? Path.Combine(Folder, chapter) : Path.Combine(Folder, Path.GetDirectoryName(chapter)!, page);

            Assert.True(File.Exists(target), $"{chapter} links to {page}");
            Assert.Contains(link.Groups["anchor"].Value, Anchors(File.ReadAllText(target)));
        }
    }

    // The anchors are read line by line, independently of the chunker, which uses the syntax tree.
    private static HashSet<string> Anchors(string content)
    {
        var headings = new HeadingAnchors();
        var isCode = false;
        var anchors = new HashSet<string>(StringComparer.Ordinal) { "" };

        foreach (var line in content.Split('\n'))
        {
            isCode ^= line.TrimStart().StartsWith("```", StringComparison.Ordinal);
            if (!isCode && HeadingLine().Match(line) is { Success: true } match)
                anchors.Add(headings.Next(match.Groups["level"].Length, match.Groups["text"].Value.Replace("`", "").Trim()).Anchor ?? "");
        }

        return anchors;
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;

    [GeneratedRegex(@"^(?<level>#{1,6}) (?<text>.+)$", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex HeadingLine();

    [GeneratedRegex(@"\]\((?<page>[^)#:\s]*\.mdx?)?(#(?<anchor>[^)\s]+))?\)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Link();
}
