using Microsoft.Playwright;
using static Microsoft.Playwright.Assertions;

namespace ChatBackend.Tests.Features.Widget;

/// <summary>The panel, the headings that are suggested, and where links lead.</summary>
[Collection(nameof(WidgetSite))]
public sealed class WidgetSearchTests(WidgetSite site)
{
    [Theory]
    [InlineData("Control+k")]
    [InlineData("Meta+k")]
    public async Task Control_K_opens_the_panel_and_closes_it_and_nothing_is_requested_before(string keys)
    {
        await using var reader = await site.OpenAsync();
        Assert.Equal(["/widget.js"], reader.Requests.Select(r => new Uri(r.Url).AbsolutePath));

        await reader.Page.Keyboard.PressAsync(keys);
        await Expect(reader.Input).ToBeFocusedAsync();
        await reader.Page.Keyboard.PressAsync(keys);
        await Expect(reader.Panel).ToBeHiddenAsync();
        await Expect(reader.Launcher).ToBeFocusedAsync();
        Assert.Empty(reader.Complaints);
    }

    [Fact]
    public async Task Control_K_stays_with_the_sites_own_search()
    {
        await using var reader = await site.OpenAsync();
        await reader.Page.EvaluateAsync("() => document.body.insertAdjacentHTML('beforeend', '<button class=\"DocSearch-Button\">Search</button>')");

        var isTaken = await reader.Page.EvaluateAsync<bool>("() => !document.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true, cancelable: true }))");

        Assert.False(isTaken);
        await Expect(reader.Panel).ToBeHiddenAsync();
    }

    [Fact]
    public async Task Arrows_and_Enter_open_a_heading_that_matches_and_Enter_on_the_question_asks()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        await reader.MarkAsync();

        await reader.Input.PressSequentiallyAsync("zero mom");
        await Expect(reader.Options.First).ToContainTextAsync("zero moment point", new() { IgnoreCase = true });
        await reader.Input.PressAsync("ArrowDown");
        await Expect(reader.Options.First).ToHaveAttributeAsync("aria-selected", "true");
        await Expect(reader.Input).ToHaveAttributeAsync("aria-activedescendant", "suggestion-0");
        await reader.Input.PressAsync("ArrowUp");
        await Expect(reader.Options.First).ToHaveAttributeAsync("aria-selected", "false");
        await reader.Input.PressAsync("ArrowDown");
        await reader.Input.PressAsync("Enter");

        await reader.Page.WaitForURLAsync("**/docs/motion/balance-and-walking#*");
        await Expect(reader.Page.Locator("[id='zero-moment-point']")).ToBeInViewportAsync();
        await Expect(reader.Options).ToHaveCountAsync(0);
        await Expect(reader.Input).ToHaveValueAsync("");
        Assert.True(await reader.IsMarkedAsync(), "The page was loaded again.");
        Assert.DoesNotContain(site.Model.Requests, r => r.Messages.Any(m => m.Content.Contains("zero mom", StringComparison.Ordinal)));
        await reader.AnswerAsync("What is the zero moment point?");
        Assert.Empty(reader.Complaints);
    }

    [Fact]
    public async Task Headings_of_a_text_that_is_no_longer_there_are_not_shown()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        var (asked, held) = (new TaskCompletionSource(), new TaskCompletionSource());
        await reader.Page.RouteAsync("**/search/suggest?q=nodes", async route =>
        {
            asked.SetResult();
            await held.Task;
            await route.ContinueAsync();
        });
        await reader.Input.FillAsync("nodes");
        await asked.Task;

        await reader.Input.FillAsync("");
        var answered = reader.Page.WaitForResponseAsync("**/search/suggest?q=nodes");
        held.SetResult();
        await (await answered).FinishedAsync();
        // The next text's headings come after those.
        await reader.Page.EvaluateAsync("() => new Promise(resolve => setTimeout(resolve))");
        await Expect(reader.Options).ToHaveCountAsync(0);
    }

    [Theory]
    [InlineData(1280)]
    [InlineData(390)]
    public async Task A_citation_leads_to_its_heading_without_a_reload(int width)
    {
        await using var reader = await (await site.OpenAsync(width: width)).OpenPanelAsync();
        await reader.MarkAsync();
        await reader.AnswerAsync();

        await reader.LastAnswer.Locator(".cite").First.ClickAsync();

        await reader.Page.WaitForURLAsync("**/base/docs/ros2/**");
        var heading = reader.Page.Locator($"[id='{new Uri(reader.Page.Url).Fragment.TrimStart('#')}']");
        await Expect(heading).ToBeInViewportAsync();
        Assert.True(await reader.IsMarkedAsync(), "The page was loaded again.");
        await Expect(reader.Panel).ToBeVisibleAsync(new() { Visible = width > 600 });
        // It is the page of Docusaurus: its title and its sidebar have changed, too, and Back leads back.
        await Expect(reader.Page).ToHaveTitleAsync(new System.Text.RegularExpressions.Regex("^(?!.*Introduction).+"));
        await reader.Page.GoBackAsync();
        await reader.Page.WaitForURLAsync("**/base/docs/intro");
        Assert.True(await reader.IsMarkedAsync(), "The page was loaded again.");
        Assert.Empty(reader.Complaints);
    }

    [Fact]
    public async Task Back_and_Forward_go_through_the_headings_and_pages_that_links_led_to()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        await reader.MarkAsync();
        var addresses = new List<string> { reader.Page.Url };
        foreach (var words in (string[])["zero moment", "walking", "publish"])
        {
            await reader.Input.FillAsync(words);
            await Expect(reader.Options.First).ToContainTextAsync(words.Split(' ')[0], new() { IgnoreCase = true });
            await reader.Options.First.ClickAsync();
            await reader.Page.WaitForFunctionAsync("before => location.href !== before", addresses[^1]);
            addresses.Add(reader.Page.Url);
        }

        // Two headings are on one page.
        Assert.Equal(3, addresses.Select(address => new Uri(address).AbsolutePath).Distinct().Count());
        foreach (var address in Enumerable.Reverse(addresses).Skip(1))
        {
            await reader.Page.GoBackAsync();
            await reader.Page.WaitForURLAsync(address);
        }

        foreach (var address in addresses.Skip(1))
        {
            await reader.Page.GoForwardAsync();
            await reader.Page.WaitForURLAsync(address);
        }

        Assert.True(await reader.IsMarkedAsync(), "A page was loaded again.");
        Assert.Empty(reader.Complaints);
    }

    [Fact]
    public async Task The_heading_that_a_link_leads_to_is_marked_for_a_moment()
    {
        await using var reader = await (await site.OpenAsync()).OpenPanelAsync();
        await reader.AnswerAsync();
        await reader.Page.EvaluateAsync("""
            () => {
                window.marked = []
                const animate = Element.prototype.animate
                Element.prototype.animate = function (...how) { window.marked.push(this.id); return animate.apply(this, how) }
            }
            """);

        await reader.Turns.Last.Locator(".sources a").First.ClickAsync();

        await reader.Page.WaitForFunctionAsync("() => window.marked.includes(location.hash.slice(1))");
    }

    [Fact]
    public async Task A_selection_is_asked_about_with_the_page_that_is_shown_now()
    {
        await using var reader = await site.OpenAsync($"{WidgetSite.Address}docs/intro?utm=1");
        await reader.Page.Locator(".theme-doc-sidebar-menu").GetByRole(AriaRole.Link, new() { Name = "Safety" }).First.ClickAsync();
        await reader.Page.WaitForFunctionAsync("() => !location.pathname.endsWith('/intro') && document.querySelector('.theme-doc-markdown p')");
        var page = new Uri(reader.Page.Url);
        await reader.Page.EvaluateAsync("() => { location.hash = 'somewhere'; getSelection().selectAllChildren(document.querySelector('.theme-doc-markdown p')) }");
        var selected = (await reader.Page.EvaluateAsync<string>("() => getSelection().toString()")).Trim();

        await reader.Page.Locator("chatbackend-widget .about").ClickAsync();
        await Expect(reader.Panel.Locator(".chip")).ToContainTextAsync(selected[..20]);
        await reader.AnswerAsync("What does this mean for nodes?");

        using var body = System.Text.Json.JsonDocument.Parse(reader.Requests.Single(r => r.Url.EndsWith("/chat", StringComparison.Ordinal) && r.Method == "POST").PostData!);
        Assert.Equal(selected, body.RootElement.GetProperty("selected_text").GetString());
        Assert.Equal(page.GetLeftPart(UriPartial.Path), body.RootElement.GetProperty("page_url").GetString());
        await Expect(reader.Panel.Locator(".chip")).ToBeHiddenAsync();
        await Expect(reader.Turns.Last.Locator(".selection")).ToContainTextAsync(selected[..20]);
    }

    [Fact]
    public async Task The_settings_of_the_script_tag_are_followed()
    {
        await using var reader = await (await site.OpenAsync(attributes: "data-title=\"Ask Robo\" data-placeholder=\"Go ahead\" data-accent=\"#008000\" data-position=\"left\" data-lang=\"ur\"")).OpenPanelAsync();

        await Expect(reader.Panel).ToHaveAttributeAsync("aria-label", "Ask Robo");
        await Expect(reader.Input).ToHaveAttributeAsync("placeholder", "Go ahead");
        await Expect(reader.Button("پوچھیں")).ToHaveCSSAsync("background-color", "rgb(0, 128, 0)");
        Assert.True((await reader.Panel.BoundingBoxAsync())!.X < 100);
        await reader.Page.EvaluateAsync("() => document.activeElement.dispatchEvent(new KeyboardEvent('keydown', { key: 'k', ctrlKey: true, bubbles: true }))");
        await Expect(reader.Launcher).ToBeVisibleAsync();
        Assert.True((await reader.Launcher.BoundingBoxAsync())!.X < 100);
    }
}
