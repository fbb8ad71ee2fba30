using Microsoft.Playwright;

namespace ChatBackend.Tests.Features.Widget;

/// <summary>What the widget and the page that it stands in do to each other.</summary>
public sealed class WidgetOnPageTests
{
    [Fact]
    public async Task It_runs_under_a_strict_policy_and_requests_nothing_until_it_is_opened()
    {
        await using var stub = await StubPage.StartAsync();
        stub.Policy = "default-src 'self'; connect-src 'self'; script-src 'self'; img-src data:; require-trusted-types-for 'script'";
        stub.Settings = "data-accent=\"#0a7\" data-translate=\"ur\"";
        await stub.OpenAsync();
        // Evaluations are code of the test's own; they are not the page's.
        Assert.Empty(stub.Requests);
        Assert.Equal("rgb(0, 170, 119)", await ColorOfAsync(stub, ".launcher"));

        await stub.Page.GetByRole(AriaRole.Button, new() { Name = "Ask the book" }).ClickAsync();
        await stub.Page.Keyboard.TypeAsync("nodes");
        await Assertions.Expect(stub.Page.GetByRole(AriaRole.Option)).ToHaveCountAsync(2);
        await stub.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(stub.Page.Locator(".sources li")).ToHaveCountAsync(1);

        Assert.Equal([], stub.Errors);
    }

    [Fact]
    public async Task It_takes_no_styles_from_the_page_and_gives_it_none()
    {
        await using var stub = await StubPage.StartAsync();
        await stub.OpenAsync();
        await stub.AskAsync();
        var plain = await LooksAsync(stub, "chatbackend-widget");

        stub.Html += """
            <style>
              * { color: red !important; font: 40px serif !important; margin: 30px !important; padding: 30px !important; display: block !important; letter-spacing: 9px !important; position: static !important }
              button, textarea, p, li { background: yellow !important; text-transform: uppercase !important; direction: rtl !important }
            </style>
            """;
        await stub.OpenAsync();
        var onPage = await LooksAsync(stub, "main");
        await stub.AskAsync();

        Assert.Equal(onPage, await LooksAsync(stub, "main"));
        Assert.Equal(plain, await LooksAsync(stub, "chatbackend-widget"));
    }

    [Fact]
    public async Task It_moves_nothing_on_the_page_and_costs_little_at_load()
    {
        await using var stub = await StubPage.StartAsync();
        await stub.Page.AddInitScriptAsync("""
            window.shift = 0;
            new PerformanceObserver(list => list.getEntries().forEach(entry => window.shift += entry.value)).observe({ type: 'layout-shift', buffered: true });
            """);
        var costs = new List<double>();
        for (var i = 0; i < 7; i++)
        {
            await stub.OpenAsync();
            // The script runs once more, beside its first run: what a load costs without the network.
            costs.Add(await stub.Page.EvaluateAsync<double>("""
                async () => {
                    const text = await (await fetch('/widget.js')).text()
                    delete window.chatbackendWidget
                    const script = document.createElement('script')
                    script.textContent = text
                    const start = performance.now()
                    document.head.append(script)
                    document.querySelector('chatbackend-widget:last-of-type').getBoundingClientRect()
                    return performance.now() - start
                }
                """.Replace("script.textContent = text", "script.textContent = text.replace('new URL(\\'.\\', script.src)', 'new URL(location.origin)')", StringComparison.Ordinal)));
        }

        await stub.OpenAsync();
        await stub.AskAsync();

        Assert.Equal(0, await stub.Page.EvaluateAsync<double>("() => window.shift"));
        costs.Sort();
        TestContext.Current.TestOutputHelper!.WriteLine($"Load: {costs[3]:F1} ms (median of 7), at most {costs[^1]:F1} ms");
        // The machine may be busy: the best run shows what the script itself takes.
        Assert.InRange(costs[0], 0, 20);
    }

    [Fact]
    public async Task It_follows_the_theme_and_the_accent_of_the_site()
    {
        await using var stub = await StubPage.StartAsync();
        stub.Html = "<style>:root { --ifm-color-primary: #25c2a0 } [data-theme=dark] { --ifm-color-primary: #102040 }</style>" + stub.Html;
        await stub.OpenAsync();
        await stub.Page.EvaluateAsync("() => chatbackendWidget.open()");
        var panel = await ColorOfAsync(stub, ".panel");

        Assert.Equal(("rgb(37, 194, 160)", "rgb(0, 0, 0)"), (await ColorOfAsync(stub, ".send"), await ColorOfAsync(stub, ".send", "color")));
        await stub.Page.EvaluateAsync("() => document.documentElement.dataset.theme = 'dark'");
        await Assertions.Expect(stub.Page.Locator("chatbackend-widget")).ToHaveAttributeAsync("data-theme", "dark");
        Assert.NotEqual(panel, await ColorOfAsync(stub, ".panel"));
        Assert.Equal(("rgb(16, 32, 64)", "rgb(255, 255, 255)"), (await ColorOfAsync(stub, ".send"), await ColorOfAsync(stub, ".send", "color")));
    }

    [Fact]
    public async Task It_speaks_the_pages_language_and_runs_in_its_direction()
    {
        await using var stub = await StubPage.StartAsync();
        stub.Language = "ur-PK";
        await stub.OpenAsync();
        await stub.Page.GetByRole(AriaRole.Button, new() { Name = "کتاب سے پوچھیں" }).ClickAsync();

        Assert.Equal("rtl", await stub.Page.Locator(".panel").EvaluateAsync<string>("element => getComputedStyle(element).direction"));
        await stub.AskAsync();
        // An English answer keeps its own direction.
        Assert.Equal("ltr", await stub.Page.Locator(".answer p").EvaluateAsync<string>("element => getComputedStyle(element).direction"));

        stub.Settings = "data-lang=\"en\"";
        await stub.OpenAsync();
        await Assertions.Expect(stub.Page.GetByRole(AriaRole.Button, new() { Name = "Ask the book" })).ToBeVisibleAsync();

        (stub.Settings, stub.Language) = ("", "xx");
        await stub.OpenAsync();
        await Assertions.Expect(stub.Page.GetByRole(AriaRole.Button, new() { Name = "Ask the book" })).ToBeVisibleAsync();
    }

    private static Task<string> ColorOfAsync(StubPage stub, string selector, string property = "backgroundColor") =>
        stub.Page.Locator(selector).EvaluateAsync<string>($"element => getComputedStyle(element).{property}");

    /// <summary>The computed styles and the places of all elements in an element or in its shadow root.</summary>
    private static Task<string> LooksAsync(StubPage stub, string selector) => stub.Page.Locator(selector).EvaluateAsync<string>("""
        async root => {
            await Promise.all(document.getAnimations().map(animation => animation.finished))
            return [...(root.shadowRoot ?? root).querySelectorAll('*')].filter(e => e.checkVisibility()).map(e => {
                const { color, font, margin, padding, display, letterSpacing, position, backgroundColor, textTransform, direction } = getComputedStyle(e)
                const { width, height } = e.getBoundingClientRect()
                return [e.localName, e.className.baseVal ?? e.className, color, font, margin, padding, display, letterSpacing, position, backgroundColor, textTransform, direction, Math.round(width), Math.round(height)].join(' ')
            }).join('\n')
        }
        """);
}
