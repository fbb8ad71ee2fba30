using System.Text.RegularExpressions;
using ChatBackend.Features.Translate.Documents;
using ChatBackend.Tests.Infrastructure.Docusaurus;
using Microsoft.Playwright;

namespace ChatBackend.Tests.Features.Widget;

/// <summary>"Read this in اردو" on the sample book as Docusaurus builds it. The translation is a stub's.</summary>
public sealed partial class WidgetTranslationTests(BuiltSite site) : IClassFixture<BuiltSite>
{
    private const string Chapter = "/base/docs/perception/state-estimation";

    [Fact]
    public async Task A_page_is_translated_in_place_and_its_code_formulas_tabs_and_links_keep_working()
    {
        await using var stub = await OpenAsync();
        await stub.Page.EvaluateAsync("() => window.own = [...document.querySelectorAll('.theme-doc-markdown :is(pre, .katex, [role=tab], a)')]");
        await TranslateAsync(stub);
        var article = stub.Page.Locator(".theme-doc-markdown");

        await Assertions.Expect(article.Locator("h1")).ToHaveTextAsync("لفظ لفظ");
        Assert.Equal("rtl ur", await article.Locator("p").First.EvaluateAsync<string>("p => `${getComputedStyle(p).direction} ${p.lang}`"));
        // The page's own elements are still there, all of them.
        Assert.True(await stub.Page.EvaluateAsync<bool>("() => window.own.length > 20 && window.own.every(element => element.isConnected)"));
        // No prose is left as it was.
        Assert.Empty(await article.EvaluateAsync<string[]>("""
            article => [...article.querySelectorAll('p, li, h1, h2, h3, td, th')].filter(e => !e.closest('[role=tablist]'))
                .flatMap(e => [...e.childNodes]).filter(n => n.nodeType === 3 && /[a-z]{2}/i.test(n.data)).map(n => n.data)
            """));
        Assert.DoesNotContain("import numpy", stub.Translated.Single());

        await article.GetByRole(AriaRole.Tab, new() { Name = "C++" }).ClickAsync();
        await Assertions.Expect(article.GetByText("Eigen").First).ToBeVisibleAsync();
        await article.Locator("pre").Locator("visible=true").First.HoverAsync();
        await article.Locator("button[aria-label='Copy code to clipboard']").Locator("visible=true").First.ClickAsync();
        await stub.Page.WaitForFunctionAsync("async () => (await navigator.clipboard.readText()).includes('Eigen')");

        // A link leads to another page without a reload; that one is not translated, nor is this one when the reader comes back.
        await stub.Page.EvaluateAsync("() => window.isSame = true");
        await article.Locator("a[href*='/sensors#']").First.ClickAsync();
        await Assertions.Expect(article.Locator("h1")).ToHaveTextAsync("Sensors");
        await Assertions.Expect(stub.Page.Locator(".language")).ToContainTextAsync("Read this in");
        await stub.Page.GoBackAsync();
        await Assertions.Expect(article.Locator("h1")).ToHaveTextAsync("State Estimation");
        await TranslateAsync(stub);
        await Assertions.Expect(article.Locator("h1")).ToHaveTextAsync("لفظ لفظ");
        Assert.True(await stub.Page.EvaluateAsync<bool>("() => window.isSame"));
        Assert.Equal([], stub.Errors);
    }

    [Fact]
    public async Task The_service_reads_the_blocks_that_the_widget_sends()
    {
        await using var stub = await OpenAsync();
        var pages = Directory.GetFiles(Path.Combine(site.Build, "docs"), "*.html", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(site.Build, file).Replace("/index.html", "", StringComparison.Ordinal).Replace(".html", "", StringComparison.Ordinal));
        var (problems, count) = (new List<string>(), 0);

        foreach (var page in pages.Where(page => !page.Contains("category", StringComparison.Ordinal)))
        {
            await stub.Page.GotoAsync($"{stub.Origin}/base/{page}");
            await TranslateAsync(stub);
            var blocks = stub.Translated[^1].Split("\n\n");
            var document = TranslatableDocument.Parse(stub.Translated[^1]);
            var found = document.Segments.Select(segment => document.TopBlockOf(segment)).OfType<int>().Distinct().ToDictionary(
                block => block, block => document.TranslateBlock(block, new Dictionary<int, string>(), HeadingIds.None));
            problems.AddRange(blocks.Index().Where(block => !found.TryGetValue(block.Index, out var text) || text != block.Item).Select(block => $"{page} {block.Index}: {block.Item} is {found.GetValueOrDefault(block.Index)}"));
            count += blocks.Length;
        }

        Assert.Equal([], problems);
        Assert.True(count > 300, $"{count} blocks");
    }

    [Fact]
    public async Task Another_press_shows_the_original_at_the_same_place()
    {
        await using var stub = await OpenAsync();
        var heading = stub.Page.Locator("#tuning-a-filter");
        await heading.EvaluateAsync("element => scrollTo({ top: element.offsetTop - 200, behavior: 'instant' })");
        var (text, top) = (await TextAsync(stub), await TopAsync());

        await TranslateAsync(stub);
        Assert.InRange(await TopAsync(), top - 150, top + 150);
        await stub.Page.Locator(".language").ClickAsync();

        Assert.InRange(await TopAsync(), top - 30, top + 30);
        Assert.Equal(text, await TextAsync(stub));
        Assert.Equal(0, await stub.Page.Locator(".theme-doc-markdown [lang=ur]").CountAsync());

        Task<double> TopAsync() => heading.EvaluateAsync<double>("element => element.getBoundingClientRect().top");
    }

    [Fact]
    public async Task Blocks_are_put_back_as_they_stream_in_and_a_broken_stream_is_asked_again()
    {
        await using var stub = await OpenAsync();
        var (held, isBroken) = (new TaskCompletionSource(), false);
        stub.Translate = async (index, block) =>
        {
            if (index == 3 && !isBroken)
            {
                await held.Task;
                isBroken = true;
                return null;
            }

            return Urdu(block);
        };
        await stub.Page.Locator(".language").ClickAsync();

        await Assertions.Expect(stub.Page.Locator("h1")).ToHaveTextAsync("لفظ لفظ");
        await Assertions.Expect(stub.Page.Locator("#tuning-a-filter")).ToContainTextAsync("Tuning a filter");
        held.SetResult();
        await Assertions.Expect(stub.Page.Locator("#tuning-a-filter")).ToContainTextAsync("لفظ");
        Assert.Equal(2, stub.Translated.Count);
    }

    [Theory]
    [InlineData("""{"status":503,"code":"model_unavailable","detail":"There is no model."}""", "Pages cannot be translated here yet. The site's owner finds the reason in the browser console.", "ChatBackend: There is no model.")]
    [InlineData("""{"status":503,"code":"model_unavailable","retry_after_seconds":5}""", "The service is not available just now. Try again in a moment.", null)]
    [InlineData("""{"status":503,"code":"database_unavailable"}""", "The service is not available just now. Try again in a moment.", null)]
    public async Task A_translation_that_is_refused_leaves_the_page_as_it_was_and_says_why(string problem, string sentence, string? complaint)
    {
        await using var stub = await OpenAsync();
        var text = await TextAsync(stub);
        await stub.Page.RouteAsync("**/translate", route => route.FulfillAsync(new() { Status = 503, ContentType = "application/problem+json", Body = problem }));
        await stub.Page.Locator(".language").ClickAsync();

        await Assertions.Expect(stub.Page.Locator(".language")).ToHaveTextAsync(sentence);
        Assert.Equal(text, await TextAsync(stub));
        await Until.TrueAsync(() => stub.Errors.LastOrDefault(e => e.StartsWith("ChatBackend", StringComparison.Ordinal)) == complaint, $"The console does not say: {complaint}");
        // Another press asks again.
        await stub.Page.UnrouteAllAsync();
        await TranslateAsync(stub);
    }

    [Fact]
    public async Task Passages_that_stay_in_their_own_language_are_mentioned()
    {
        await using var stub = await OpenAsync();
        stub.Warnings = ["A passage could not be translated."];
        await TranslateAsync(stub);

        await Assertions.Expect(stub.Page.Locator(".language")).ToHaveTextAsync("Show the original (Some paragraphs could not be translated.)");
    }

    [Fact]
    public async Task A_page_is_not_offered_in_its_own_language()
    {
        await using var stub = await StubPage.StartAsync();
        (stub.Language, stub.Settings) = ("ur-PK", "data-translate=\"ur,en\"");
        await stub.OpenAsync();

        Assert.Equal(["en"], await stub.Page.Locator(".language:visible").EvaluateAllAsync<string[]>("buttons => buttons.map(button => button.dataset.code)"));
    }

    [Fact]
    public async Task A_hostile_translation_runs_nothing_and_loads_nothing()
    {
        await using var stub = await OpenAsync();
        stub.Translate = (_, block) => Task.FromResult<string?>(
            $"<img src=\"/evil.png\" onerror=\"window.ran = 1\"><script>window.ran = 1</script> [x](javascript:window.ran=1) ![x](/evil.png) <x id=\"999\"/><x id=\"0\"/><x id=\"0\"/> {block}");
        var before = stub.Requests.Count;
        await TranslateAsync(stub);

        Assert.Equal("undefined 0 0", await stub.Page.EvaluateAsync<string>("""
            () => `${window.ran} ${document.querySelectorAll('.theme-doc-markdown :is(img, script)').length} ${document.querySelectorAll('[href^="javascript"]').length}`
            """));
        Assert.Equal([], stub.Requests.Skip(before).Where(url => !url.EndsWith("/translate", StringComparison.Ordinal)));
        Assert.Equal([], stub.Errors);
    }

    private async Task<StubPage> OpenAsync()
    {
        Assert.SkipWhen(site.Missing is not null, site.Missing ?? "");
        var stub = await StubPage.StartAsync();
        (stub.Site, stub.Settings) = (site.Build, "data-translate=\"ur\"");
        stub.Translate = (_, block) => Task.FromResult<string?>(Urdu(block));
        await stub.Page.Context.GrantPermissionsAsync(["clipboard-read", "clipboard-write"]);
        await stub.Page.GotoAsync(stub.Origin + Chapter);
        await Assertions.Expect(stub.Page.Locator(".language")).ToBeVisibleAsync();
        // React has taken the page over once its buttons work.
        await Assertions.Expect(stub.Page.Locator("html")).ToHaveAttributeAsync("data-has-hydrated", "true");
        return stub;
    }

    private static async Task TranslateAsync(StubPage stub)
    {
        await stub.Page.Locator(".language").ClickAsync();
        await Assertions.Expect(stub.Page.Locator(".language")).ToContainTextAsync("Show the original");
    }

    private static Task<string> TextAsync(StubPage stub) => stub.Page.Locator(".theme-doc-markdown").EvaluateAsync<string>("element => element.textContent");

    /// <summary>Each word becomes another; code, tags, addresses and the marks of Markdown stay.</summary>
    private static string Urdu(string block) => Word().Replace(block, m => m.Groups["word"].Success ? "لفظ" : m.Value);

    [GeneratedRegex(@"`[^`]*`|<x id=""\d+""/>|\]\([^)]*\)|\\.|(?<word>\p{L}+)", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Word();
}
