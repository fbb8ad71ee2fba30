using AngleSharp.Dom;
using AngleSharp.Html.Parser;
using ChatBackend.Features.Translate.Book;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using ChatBackend.Tests.Infrastructure.Docusaurus;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.FileProviders;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;
using Spectre.Console;

namespace ChatBackend.Tests.Features.Translate.Book;

/// <summary>The sample book and its translation by a stub, built by Docusaurus, which fails for links and anchors that lead nowhere.</summary>
public sealed class TranslatedSiteTests : IAsyncLifetime
{
    private const string Config = """
        import math from 'remark-math';
        import katex from 'rehype-katex';

        export default {
          title: 'Built site', url: 'https://book.example', baseUrl: '/base/',
          onBrokenLinks: 'throw', onBrokenAnchors: 'throw', onDuplicateRoutes: 'throw', future: {v4: true},
          markdown: {mermaid: false, hooks: {onBrokenMarkdownLinks: 'throw', onBrokenMarkdownImages: 'throw'}},
          i18n: {defaultLocale: 'en', locales: ['en', 'ur'], localeConfigs: {ur: {direction: 'rtl', label: 'اردو'}}},
          themes: ['@docusaurus/theme-classic'],
          themeConfig: {
            navbar: {title: 'Built site', logo: {src: 'none.svg', href: '/docs/intro'}, items: [{type: 'localeDropdown', position: 'right'}]},
            footer: {copyright: 'Copyright of the authors.'},
            colorMode: {respectPrefersColorScheme: false},
          },
          plugins: [['@docusaurus/plugin-content-docs', {path: 'docs', routeBasePath: 'docs', sidebarPath: './sidebars.js', remarkPlugins: [math], rehypePlugins: [katex]}]],
        };
        """;

    private static readonly TimeSpan LongestBuild = TimeSpan.FromMinutes(20);

    private readonly string _site = Directory.CreateTempSubdirectory("translated").FullName;
    private readonly ChatBackendApp _app = new() { ["OPENAI_API_KEY"] = "sk-test", ["AI_PROVIDER"] = "openai" };
    private StubOpenAi _model = null!;

    public async ValueTask InitializeAsync()
    {
        _model = await StubOpenAi.StartAsync();
        _model.Default = UrduModel.Answer;
        _app["OPENAI_BASE_URL"] = _model.BaseUrl;
        await _app.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _model.DisposeAsync();
        // Without recursion into the link to the cache.
        File.Delete(Path.Combine(_site, "node_modules"));
        Directory.Delete(_site, recursive: true);
    }

    [Fact]
    public async Task The_translated_site_builds_with_the_headings_and_links_of_the_original()
    {
        if (await BuiltSite.RunAsync(_site, "node", ["--version"], TimeSpan.FromSeconds(30)) is not (0, var version) || !BuiltSite.IsNewEnough(version))
            Assert.Skip("Node 20 or newer is not installed.");
        var modules = await BuiltSite.InstallAsync();
        Assert.SkipWhen(modules is null, "npm could not install Docusaurus.");

        await WriteSiteAsync(modules!);
        await DocusaurusAsync(modules!, "write-translations", "--locale", "ur");
        var output = await TranslateAsync();
        await DocusaurusAsync(modules!, "build");

        Assert.Contains("17 pages, 4 files of texts", output, StringComparison.Ordinal);
        Assert.DoesNotContain("warning:", output, StringComparison.Ordinal);
        var build = Path.Combine(_site, "build");
        var pages = Directory.GetFiles(Path.Combine(build, "docs"), "index.html", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(build, file)).Order(StringComparer.Ordinal).ToArray();
        Assert.InRange(pages.Length, 16, 40);
        var headings = 0;
        foreach (var page in pages)
        {
            using var original = await ParseAsync(Path.Combine(build, page));
            using var translated = await ParseAsync(Path.Combine(build, "ur", page));

            Assert.Equal("rtl", translated.DocumentElement.GetAttribute("dir"));
            Assert.Matches(@"\p{IsArabic}|ROS 2", translated.QuerySelector("h1")!.TextContent);
            Assert.Equal(Ids(original), Ids(translated));
            Assert.Equal(Links(original), Links(translated).Select(link => link.Replace("/base/ur/", "/base/", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
            Assert.Equal(Code(original), Code(translated));
            Assert.All(translated.QuerySelectorAll(".theme-doc-sidebar-item-category > div > a"), category => Assert.Matches(@"\p{IsArabic}|ROS 2", category.TextContent));
            headings += Ids(original).Length;
        }

        TestContext.Current.TestOutputHelper?.WriteLine($"{pages.Length} pages, {headings} headings with an id, all the same in both languages.\n{output}");
        await LookAsync(build);
    }

    private async Task WriteSiteAsync(string modules)
    {
        var book = Path.Combine(Repository.Root, "sample-book");
        foreach (var file in Directory.EnumerateFiles(book, "*", SearchOption.AllDirectories).Where(file => !file.EndsWith("README.md", StringComparison.Ordinal)))
            await WriteAsync(Path.Combine("docs", Path.GetRelativePath(book, file)), await File.ReadAllTextAsync(file));
        await WriteAsync("docs/parts.mdx", """
            import Part from './_part.mdx';
            import Picture from './picture.svg';

            # Parts

            ## The same heading

            ![A picture](./picture.svg) and [a link](#the-same-heading-1) within to [a place](./intro.md#equipment).

            ## The same heading

            <Part/>

            <img src={Picture} width="20"/>
            """);
        await WriteAsync("docs/_part.mdx", "## In the part\n\nA partial has words, too.\n");
        await WriteAsync("docs/picture.svg", """<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><path d="M0 0h9v9z"/></svg>""");
        await WriteAsync("package.json", """{"name": "translated-site", "private": true}""");
        await WriteAsync("docusaurus.config.js", Config);
        await WriteAsync("sidebars.js", "export default {all: [{type: 'autogenerated', dirName: '.'}]};");
        Directory.CreateSymbolicLink(Path.Combine(_site, "node_modules"), modules);
    }

    private async Task WriteAsync(string path, string text)
    {
        var file = Path.Combine(_site, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        await File.WriteAllTextAsync(file, text);
    }

    private async Task DocusaurusAsync(string modules, params string[] arguments)
    {
        var (code, output) = await BuiltSite.RunAsync(_site, "node", [Path.Combine(modules, "@docusaurus/core/bin/docusaurus.mjs"), .. arguments], LongestBuild);
        Assert.True(code == 0, output);
    }

    private async Task<string> TranslateAsync()
    {
        _ = _app.Client;
        var output = new StringWriter();
        var console = AnsiConsole.Create(new() { Out = new AnsiConsoleOutput(output), Ansi = AnsiSupport.No, Interactive = InteractionSupport.No });
        console.Profile.Width = int.MaxValue;
        var code = await TranslateBook.RunAsync(_app.Services, [Path.Combine(_site, "docs"), "--to", "ur"], console, TestContext.Current.CancellationToken);
        Assert.True(code == 0, output.ToString());

        return output.ToString();
    }

    /// <summary>Opens a translated page in Chromium, where there is one. TRANSLATED_PAGE names a file for a picture of it, such as docs/images/translated-page.png.</summary>
    private static async Task LookAsync(string build)
    {
        if (!Chromium.IsInstalled)
            return;

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        await using var server = builder.Build();
        server.UseFileServer(new FileServerOptions { FileProvider = new PhysicalFileProvider(build), RequestPath = "/base", EnableDefaultFiles = true });
        await server.StartAsync();

        using var playwright = await Playwright.CreateAsync();
        await using var browser = await Chromium.LaunchAsync(playwright);
        var page = await browser.NewPageAsync(new() { ViewportSize = new() { Width = 1240, Height = 1000 } }).PatientAsync();
        await page.GotoAsync($"{server.Urls.First()}/base/ur/docs/intro/#equipment");
        await page.Locator("#equipment").WaitForAsync();

        Assert.Equal("rtl", await page.EvaluateAsync<string>("getComputedStyle(document.querySelector('article p')).direction"));
        Assert.Equal("ltr", await page.EvaluateAsync<string>("getComputedStyle(document.querySelector('article pre')).direction"));
        Assert.True(await page.EvaluateAsync<bool>("document.querySelector('aside').getBoundingClientRect().left > document.querySelector('article').getBoundingClientRect().left"));
        if (Environment.GetEnvironmentVariable("TRANSLATED_PAGE") is { } picture)
        {
            await page.EvaluateAsync("window.scrollTo(0, 0)");
            await page.ScreenshotAsync(new() { Path = picture });
        }
    }

    private static async Task<IDocument> ParseAsync(string file) =>
        await new HtmlParser().ParseDocumentAsync(await File.ReadAllTextAsync(file), TestContext.Current.CancellationToken);

    private static string[] Ids(IDocument page) => [.. page.QuerySelectorAll("article :is(h1, h2, h3, h4, h5, h6)[id]").Select(heading => $"{heading.LocalName} {heading.Id}")];

    private static string[] Links(IDocument page) =>
        [.. page.QuerySelectorAll(".theme-doc-markdown a[href]").Select(link => link.GetAttribute("href")!).Order(StringComparer.Ordinal)];

    private static string[] Code(IDocument page) => [.. page.QuerySelectorAll("article pre").Select(code => code.TextContent)];
}
