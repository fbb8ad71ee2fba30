using ChatBackend.Infrastructure.Docusaurus;

namespace ChatBackend.Tests.Infrastructure.Docusaurus;

public sealed class MdxPartialsTests
{
    private const string Import = "import Part from './_part.mdx';\n\n";

    private readonly Dictionary<string, string> _files = new(StringComparer.Ordinal);

    [Fact]
    public async Task A_partials_text_stands_in_the_place_of_its_tag()
    {
        _files["arm/_part.mdx"] = "---\ntitle: Ignored\n---\nimport Deep from '../_deep.md';\n\n:::tip\n\nFrom the *part*.\n\n:::\n\n<Deep/>\n";
        _files["_deep.md"] = "```js\n<b>\n```";

        var text = await TextAsync("arm/page.mdx", $"---\ntitle: Page\n---\n{Import}Before.\n\n<Part name=\"x\" />\n\n- An item\n\n  <Part/>\n\nAfter.");

        Assert.Equal(
            "Before.|**Tip**|From the *part*.|```js|<b>|```|- An item|  **Tip**|  From the *part*.|  ```js|  <b>|  ```|After.",
            string.Join('|', text.Split('\n').Where(line => !string.IsNullOrWhiteSpace(line))));
    }

    [Theory]
    [InlineData("@site/docs/parts/_part.mdx")]
    [InlineData("../parts/_part.mdx")]
    [InlineData("./../arm/../parts/_part.mdx")]
    public async Task A_partial_is_found_by_its_path(string file)
    {
        _files["parts/_part.mdx"] = "From the part.";

        Assert.Equal("From the part.", (await TextAsync("arm/page.md", $"import Part from \"{file}\"\n\n<Part></Part>")).Trim());
    }

    [Fact]
    public async Task Each_file_numbers_its_own_anchors()
    {
        _files["_part.mdx"] = "## Setup\n\nx\n\nSetup\n---\n\n## Own {#mine}\n\n### C# #\n";
        var content = await InlineAsync("page.md", $"{Import}## Setup\n\n<Part/>\n\n## Setup\n");
        var anchors = new HeadingAnchors();
        var headings = content.Split('\n').Where(line => line.StartsWith('#') || line.StartsWith("Setup", StringComparison.Ordinal)).Select(line => anchors.Next(2, line.Trim('#', ' ')).Anchor);

        Assert.Equal(["setup", "setup", "setup-1", "mine", "c", "setup-1"], headings);
    }

    [Fact]
    public async Task A_tag_whose_file_is_missing_or_imports_itself_leaves_nothing()
    {
        _files["_part.mdx"] = $"{Import}Once.\n\n<Part/>";

        Assert.Equal("Once.", (await TextAsync("page.md", $"{Import}<Part/>")).Trim());
        Assert.Equal("Text.", (await TextAsync("page.md", "import Part from './_none.mdx';\n\nText.\n\n<Part/>")).Trim());
    }

    [Fact]
    public async Task Partials_that_multiply_or_nest_without_end_are_bounded()
    {
        for (var level = 0; level < 6; level++)
            _files[$"_{level}.md"] = $"import Part from './_{level + 1}.md';\n\n" + string.Concat(Enumerable.Repeat("<Part/>\n\n", 20));
        _files["_6.md"] = "Deep.";
        await Assert.ThrowsAsync<DocumentException>(() => InlineAsync("page.md", "import Part from './_0.md';\n\n<Part/>"));

        for (var level = 0; level < 20; level++)
            _files[$"_{level}.md"] = $"import Part from './_{level + 1}.md';\n\nLevel {level}.\n\n<Part/>";
        var text = await TextAsync("page.md", "import Part from './_0.md';\n\n<Part/>");
        Assert.Contains($"Level {MdxPartials.MaxDepth - 1}.", text);
        Assert.DoesNotContain($"Level {MdxPartials.MaxDepth}.", text);
    }

    [Fact]
    public async Task A_page_without_partials_is_not_changed() =>
        Assert.Equal("---\r\ntitle: a\r\n---\r\nimport x from './x.js'\r\n", await InlineAsync("page.md", "---\r\ntitle: a\r\n---\r\nimport x from './x.js'\r\n"));

    private async Task<string> TextAsync(string path, string content) => MdxText.ToMarkdown(FrontMatter.Split(await InlineAsync(path, content)).Body);

    private Task<string> InlineAsync(string path, string content) =>
        MdxPartials.InlineAsync(path, content, (file, _) => Task.FromResult(_files.GetValueOrDefault(file)), TestContext.Current.CancellationToken);
}
