using ChatBackend.Infrastructure.Http;
using Microsoft.Playwright;

namespace ChatBackend.Tests.Infrastructure.Http;

/// <summary>The Scalar page, in Debian's Chromium.</summary>
public sealed class ApiReferenceTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    private static readonly string? Chromium = new[] { "/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome" }.FirstOrDefault(File.Exists);

    [Fact]
    public async Task The_page_shows_the_routes_sends_a_request_and_breaks_no_rule()
    {
        Assert.SkipWhen(Chromium is null, "There is no Chromium on this machine (apt-get install chromium).");
        Assert.SkipUnless(ApiReference.IsBundled, "The build had no npm: the page would load its script from a CDN.");

        using var playwright = await Playwright.CreateAsync();
        await using var browser = await playwright.Chromium.LaunchAsync(new() { ExecutablePath = Chromium, Args = ["--no-sandbox", "--disable-gpu"] });
        var page = await browser.NewPageAsync(new() { ViewportSize = new() { Width = 1400, Height = 1000 } });
        var complaints = new List<string>();
        page.Console += (_, message) =>
        {
            if (message.Type is "error")
                complaints.Add(message.Text);
        };
        page.PageError += (_, error) => complaints.Add(error);
        page.Request += (_, request) =>
        {
            if (!request.Url.StartsWith(app.Address.AbsoluteUri, StringComparison.Ordinal) && !request.Url.StartsWith("data:", StringComparison.Ordinal) && !request.Url.StartsWith("blob:", StringComparison.Ordinal))
                complaints.Add($"asked {request.Url}");
        };

        await page.GotoAsync(new Uri(app.Address, "/docs").AbsoluteUri);
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "ChatBackend", Exact = true })).ToBeVisibleAsync(new() { Timeout = 30_000 });
        await page.GotoAsync(new Uri(app.Address, "/docs#tag/audits/POST/audits").AbsoluteUri);
        await Assertions.Expect(page.GetByRole(AriaRole.Heading, new() { Name = "Create an audit record" })).ToBeVisibleAsync(new() { Timeout = 30_000 });
        await page.GetByRole(AriaRole.Button, new() { Name = "Test Request" }).First.ClickAsync();
        await page.GetByRole(AriaRole.Button, new() { Name = "Send" }).First.ClickAsync();
        await Until.TrueAsync(
            async () => await app.ScalarAsync<int>("select count(*) from audit") == 1, "The page's Send button created no audit.");
        await page.ScreenshotAsync(new() { Path = Path.Combine(AppContext.BaseDirectory, "docs.png") });

        Assert.Empty(complaints);
    }

    [Fact]
    public async Task The_page_names_one_version_and_its_hash()
    {
        var response = await app.Client.GetAsync("/docs");
        var html = await response.Content.ReadAsStringAsync();

        Assert.Equal("text/html", response.Content.Headers.ContentType?.MediaType);
        Assert.Contains("default-src 'none'", response.Headers.GetValues("Content-Security-Policy").Single());
        Assert.Matches("src=\"[^\"]*1\\.46\\.4[^\"]*\" integrity=\"sha384-[A-Za-z0-9+/]{64}\"", html);
    }
}
