using System.Collections.Concurrent;
using System.Net;
using System.Reflection;
using ChatBackend.Infrastructure.Http.OpenApi;
using Microsoft.Playwright;

namespace ChatBackend.Tests.Infrastructure.Http.OpenApi;

/// <summary>The Scalar page, in Debian's Chromium.</summary>
public sealed class ApiReferenceTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    private const string NoChromium = "There is no Chromium on this machine (apt-get install chromium).";
    private const string NoScript = "The build had no npm: the page would load its script from a CDN.";
    [Fact]
    public async Task The_page_shows_the_routes_sends_a_request_and_breaks_no_rule()
    {
        Chromium.SkipWhereThereIsNone();
        Assert.SkipUnless(ApiReference.IsBundled, NoScript);

        using var playwright = await Playwright.CreateAsync();
        await using var browser = await Chromium.LaunchAsync(playwright);
        var page = await browser.NewPageAsync(new() { ViewportSize = new() { Width = 1400, Height = 1000 } }).PatientAsync();
        var complaints = ComplaintsOf(page);
        page.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(app.Address.AbsoluteUri, StringComparison.Ordinal) && !request.Url.StartsWith("data:", StringComparison.Ordinal) && !request.Url.StartsWith("blob:", StringComparison.Ordinal))
                complaints.Enqueue($"asked {request.Url}");
        };

        await page.GotoAsync(new Uri(app.Address, "/docs").AbsoluteUri);
        await ExpectHeadingAsync(page, "ChatBackend");
        await page.GotoAsync(new Uri(app.Address, "/docs#tag/audits/POST/audits").AbsoluteUri);
        await ExpectHeadingAsync(page, "Create an audit record");
        // Each route has such a button, and routes appear while the page scrolls to the one asked for.
        await page.GetByRole(AriaRole.Button, new() { Name = "(post /audits)" }).ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Send" }).First.ClickAsync();
        await Until.TrueAsync(
            async () => await app.ScalarAsync<int>("select count(*) from audit") == 1, "The page's Send button created no audit.");
        await page.ScreenshotAsync(new() { Path = Path.Combine(AppContext.BaseDirectory, "docs.png") });

        Assert.Empty(complaints);
    }

    [Theory]
    [InlineData("search/GET/search", "(get /search)", "/search?q=how")]
    [InlineData("chat/POST/chat", "(post /chat)", "/chat")]
    public async Task The_pages_test_request_gets_JSON_as_it_stands(string route, string button, string request)
    {
        Chromium.SkipWhereThereIsNone();
        Assert.SkipUnless(ApiReference.IsBundled, NoScript);

        using var playwright = await Playwright.CreateAsync();
        await using var browser = await Chromium.LaunchAsync(playwright);
        var page = await browser.NewPageAsync(new() { ViewportSize = new() { Width = 1400, Height = 1000 } }).PatientAsync();
        await page.GotoAsync(new Uri(app.Address, $"/docs#tag/{route}").AbsoluteUri);
        await page.GetByRole(AriaRole.Button, new() { Name = button }).ClickAsync();
        var response = await page.RunAndWaitForResponseAsync(
            () => page.GetByRole(AriaRole.Button, new() { Name = "Send" }).First.ClickAsync(),
            r => r.Url.Contains(request, StringComparison.Ordinal));

        Assert.Equal(200, response.Status);
        Assert.StartsWith("application/json", await response.HeaderValueAsync("content-type"));
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("\n// changed on its way", false)]
    public async Task The_page_of_a_build_without_npm_runs_the_CDNs_script_only_if_it_is_the_very_same(string change, bool runs)
    {
        Chromium.SkipWhereThereIsNone();
        Assert.SkipUnless(ApiReference.IsBundled, NoScript);
        using var script = new StreamReader(typeof(ApiReference).Assembly.GetManifestResourceStream(ApiReference.ScriptResource)!);
        var text = await script.ReadToEndAsync();

        using var playwright = await Playwright.CreateAsync();
        await using var browser = await Chromium.LaunchAsync(playwright);
        var page = await browser.NewPageAsync().PatientAsync();
        var complaints = ComplaintsOf(page);
        var address = new Uri(app.Address, "/docs").AbsoluteUri;
        await page.RouteAsync(address, route => route.FulfillAsync(new()
        {
            ContentType = "text/html; charset=utf-8",
            Headers = new Dictionary<string, string> { ["Content-Security-Policy"] = ApiReference.Policy(isBundled: false) },
            Body = ApiReference.Html(isBundled: false),
        }));
        await page.RouteAsync("https://cdn.jsdelivr.net/npm/@scalar/api-reference@*/dist/browser/standalone.js", route => route.FulfillAsync(new()
        {
            ContentType = "application/javascript; charset=utf-8",
            Headers = new Dictionary<string, string> { ["Access-Control-Allow-Origin"] = "*" },
            Body = text + change,
        }));
        await page.GotoAsync(address);

        if (runs)
        {
            await ExpectHeadingAsync(page, "ChatBackend");
            Assert.Empty(complaints);
        }
        else
        {
            await Assertions.Expect(page.GetByText("could not be loaded")).ToBeVisibleAsync();
            Assert.Contains(complaints, c => c.Contains("integrity", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task The_page_names_one_version_and_its_hash()
    {
        var response = await app.Client.GetAsync("/docs");
        var html = await response.Content.ReadAsStringAsync();

        Assert.Equal("text/html", response.Content.Headers.ContentType?.MediaType);
        Assert.Contains("default-src 'none'", response.Headers.GetValues("Content-Security-Policy").Single());
        var version = typeof(ApiReference).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == "ScalarVersion").Value;
        Assert.Matches($"src=\"[^\"]*{version}[^\"]*\" integrity=\"sha384-[A-Za-z0-9+/]{{64}}\" crossorigin=\"anonymous\"", html);
    }

    [Fact]
    public async Task With_a_slash_at_its_end_the_address_leads_to_the_page()
    {
        using var handler = new SocketsHttpHandler { AllowAutoRedirect = false };
        using var client = new HttpClient(handler) { BaseAddress = app.Address };

        var response = await client.GetAsync("/docs/");

        Assert.Equal(HttpStatusCode.Redirect, response.StatusCode);
        Assert.Equal(new Uri(app.Address, "/docs"), new Uri(new Uri(app.Address, "/docs/"), response.Headers.Location!));
    }

    private static Task ExpectHeadingAsync(IPage page, string name) =>
        Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = name, Exact = true })).ToBeVisibleAsync();

    private static ConcurrentQueue<string> ComplaintsOf(IPage page)
    {
        var complaints = new ConcurrentQueue<string>();
        page.Console += (_, message) =>
        {
            if (message.Type is "error")
                complaints.Enqueue(message.Text);
        };
        page.PageError += (_, error) => complaints.Enqueue(error);
        return complaints;
    }
}
