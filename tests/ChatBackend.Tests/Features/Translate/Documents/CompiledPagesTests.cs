using System.Text.Json;
using ChatBackend.Tests.Infrastructure.Docusaurus;

namespace ChatBackend.Tests.Features.Translate.Documents;

/// <summary>Translated pages in the parsers that Docusaurus uses: MDX with GitHub's tables, footnotes and addresses, directives and formulas.</summary>
public sealed class CompiledPagesTests
{
    private static readonly TimeSpan LongestCompilation = TimeSpan.FromMinutes(15);

    [Fact]
    public async Task A_translated_page_compiles_where_its_original_does_to_the_same_structure()
    {
        if (await BuiltSite.RunAsync(Path.GetTempPath(), "node", ["--version"], TimeSpan.FromSeconds(30)) is not (0, var version) || !BuiltSite.IsNewEnough(version))
            Assert.Skip("Node 20 or newer is not installed.");
        var modules = await BuiltSite.InstallAsync();
        Assert.SkipWhen(modules is null, "npm could not install Docusaurus.");

        var folder = Directory.CreateTempSubdirectory("compiled").FullName;
        var pages = Pages().ToList();
        Assert.True(pages.Count > 20);
        for (var page = 0; page < pages.Count; page++)
        {
            await File.WriteAllTextAsync(Path.Combine(folder, $"{page}.mdx"), pages[page].Text, TestContext.Current.CancellationToken);
            await File.WriteAllTextAsync(Path.Combine(folder, $"{page}.ur.mdx"), Pseudo.Translated(pages[page].Text, Pseudo.Urdu), TestContext.Current.CancellationToken);
        }

        var list = Path.Combine(folder, "list");
        await File.WriteAllLinesAsync(list, pages.SelectMany((_, page) => new[] { Path.Combine(folder, $"{page}.mdx"), Path.Combine(folder, $"{page}.ur.mdx") }), TestContext.Current.CancellationToken);
        var script = Path.Combine(Repository.Root, "tests/ChatBackend.Tests/Features/Translate/Documents/skeletons.mjs");
        var (code, output) = await BuiltSite.RunAsync(folder, "node", [script, modules!, list], LongestCompilation);
        Assert.True(code == 0, output);
        Directory.Delete(folder, recursive: true);

        using var results = JsonDocument.Parse(output);
        for (var page = 0; page < pages.Count; page++)
        {
            var (original, translated) = (Of(page, ""), Of(page, ".ur"));
            Assert.True(original.Skeleton is not null, $"{pages[page].Name}: {original.Error}");
            Assert.True(original == translated, $"{pages[page].Name}:\n{original}\n--- became\n{translated}");
        }

        (string? Skeleton, string? Error) Of(int page, string language)
        {
            var result = results.RootElement.GetProperty(Path.Combine(folder, $"{page}{language}.mdx"));

            return (result.TryGetProperty("skeleton", out var skeleton) ? skeleton.GetString() : null, result.TryGetProperty("error", out var error) ? error.GetString() : null);
        }
    }

    private static IEnumerable<(string Name, string Text)> Pages() =>
        from folder in new[] { "sample-book", "tests/ChatBackend.Tests/Infrastructure/Docusaurus/AwkwardPages" }
        from file in Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "*.md*", SearchOption.AllDirectories)
        select (file, File.ReadAllText(file));
}
