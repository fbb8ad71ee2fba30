using System.Net;
using System.Text.RegularExpressions;
using Microsoft.Playwright;

namespace ChatBackend.Tests.Features.Home;

public sealed class HomeFeatureTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    [Fact]
    public async Task The_home_page_links_to_addresses_that_answer()
    {
        var response = await app.Client.GetAsync("/");
        var html = await response.Content.ReadAsStringAsync();
        var links = Regex.Matches(html, "<a href=\"(?<link>[^\"]+)\"", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(60)).Select(m => m.Groups["link"].Value).ToArray();

        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal("text/html", response.Content.Headers.ContentType?.MediaType);
        Assert.Equal(["docs", "openapi/v1.json", "health/ready"], links);
        foreach (var link in links)
            Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync(link)).StatusCode);
    }

    [Fact]
    public async Task The_home_page_shows_the_books_title_and_three_of_its_questions_as_text()
    {
        await using var named = new ChatBackendApp { ["BOOK_TITLE"] = "Arms <b>&", ["BOOK_QUESTIONS"] = "What is <i>?|Why?|How?|Where?" };
        await named.InitializeAsync();

        var html = await named.Client.GetStringAsync("/");

        Assert.Contains("<title>Arms &lt;b&gt;&amp;</title>", html, StringComparison.Ordinal);
        Assert.Contains("<h1>Arms &lt;b&gt;&amp;</h1>", html, StringComparison.Ordinal);
        Assert.Equal(["What is &lt;i&gt;?", "Why?", "How?"], Regex.Matches(html, "<button>(?<question>.*?)</button>", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(60)).Select(m => m.Groups["question"].Value));
    }

    [Fact]
    public async Task The_home_page_allows_no_inline_code_but_its_own()
    {
        var policy = (await app.Client.GetAsync("/")).Headers.GetValues("Content-Security-Policy").Single();

        Assert.Matches("^default-src 'none'; script-src 'self' 'sha256-[A-Za-z0-9+/]{43}='; style-src 'sha256-[A-Za-z0-9+/]{43}=';", policy);
        Assert.DoesNotContain("unsafe", policy);
    }

    [Fact]
    public async Task The_home_page_needs_no_database()
    {
        await using var unreachable = new ChatBackendApp { WaitsUntilStarted = false, ["DATABASE_URL"] = "postgres://nobody:secret@127.0.0.1:1/none" };
        await unreachable.InitializeAsync();

        Assert.Equal(HttpStatusCode.OK, (await unreachable.Client.GetAsync("/")).StatusCode);
    }

    [Fact]
    public async Task The_home_page_shows_the_answer_to_its_question_with_the_sources()
    {
        Chromium.SkipWhereThereIsNone();
        await using var withBook = new ChatBackendApp { ["SAMPLE_BOOK"] = "on" };
        await withBook.InitializeAsync();

        using var playwright = await Playwright.CreateAsync();
        await using var browser = await Chromium.LaunchAsync(playwright);
        var page = await browser.NewPageAsync().PatientAsync();
        var complaints = new List<string>();
        page.Console += (_, message) => complaints.Add(message.Text);
        page.PageError += (_, error) => complaints.Add(error);
        await page.GotoAsync(withBook.Address.AbsoluteUri);
        Assert.Equal(3, await page.Locator("main button").CountAsync());
        await page.GetByRole(AriaRole.Button, new() { Name = "How do two ROS 2 nodes talk to each other?" }).ClickAsync();

        var answer = page.GetByRole(AriaRole.Dialog).GetByRole(AriaRole.Article);
        await Assertions.Expect(answer.Locator(".sources li").First).ToContainTextAsync("Nodes and Topics");
        await Assertions.Expect(answer.Locator(".answer .cite").First).ToHaveTextAsync("1");
        // The book is not published on this page: a citation and a heading open their passages.
        await answer.Locator(".answer .cite").First.ClickAsync();
        await Assertions.Expect(page.Locator(".passage blockquote")).ToContainTextAsync("Two ROS 2 nodes talk to each other");
        // All of it, as Markdown. Its links lead to pages that are not here.
        await Assertions.Expect(page.Locator(".passage blockquote")).ToContainTextAsync("No central broker passes the messages on.");
        await Assertions.Expect(page.Locator(".passage blockquote strong").First).ToHaveTextAsync("topic");
        await Assertions.Expect(page.Locator(".passage a")).ToHaveCountAsync(0);
        await page.GetByRole(AriaRole.Textbox).FillAsync("zero moment");
        await page.GetByRole(AriaRole.Option).First.ClickAsync();
        await Assertions.Expect(page.Locator(".passage h3")).ToContainTextAsync("zero moment", new() { IgnoreCase = true });
        await Assertions.Expect(page.Locator(".passage blockquote p").First).ToContainTextAsync("ground");
        await Assertions.Expect(page.Locator("[data-address='chat']")).ToHaveTextAsync(new Uri(withBook.Address, "chat").AbsoluteUri);
        Assert.Empty(complaints);
    }
}
