using ChatBackend.Tests.Infrastructure.Docusaurus;
using Microsoft.Playwright;

namespace ChatBackend.Tests.Features.Widget;

/// <summary>The widget on a small screen, by keyboard alone, and with assistive technology.</summary>
public sealed class WidgetAccessTests
{
    [Theory]
    [InlineData("light", "en", "", 1000)]
    [InlineData("dark", "en", "", 1000)]
    [InlineData("light", "ur", "", 1000)]
    [InlineData("dark", "en", "data-accent=\"#ffe100\"", 320)]
    public async Task Axe_finds_nothing(string theme, string language, string settings, int width)
    {
        await using var stub = await StubPage.StartAsync(new() { ViewportSize = new() { Width = width, Height = 640 }, ReducedMotion = ReducedMotion.Reduce });
        var axe = await AxeAsync();
        (stub.Language, stub.Settings, stub.Grounding) = (language, $"{settings} data-translate=\"ar\"", "partial");
        stub.Pieces = [Repository.Text("tests/ChatBackend.Tests/Features/Widget/ordinary-answer.md")];
        stub.Html += $"<style>:root {{ background: {(theme == "dark" ? "#1b1b1d; color: #fff" : "#fff")} }}</style>";
        await stub.OpenAsync();
        await stub.Page.EvaluateAsync("theme => document.documentElement.dataset.theme = theme", theme);
        await stub.Page.EvaluateAsync(axe);

        await ExpectNothingAsync("closed");
        await stub.Page.Keyboard.PressAsync("Control+k");
        await ExpectNothingAsync("open");
        await stub.Page.Keyboard.TypeAsync("nodes");
        await Assertions.Expect(stub.Page.GetByRole(AriaRole.Option)).ToHaveCountAsync(2);
        await stub.Page.Keyboard.PressAsync("ArrowDown");
        await ExpectNothingAsync("with suggestions");
        await stub.Page.Keyboard.PressAsync("ArrowUp");
        await stub.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(stub.Page.Locator(".sources li")).ToHaveCountAsync(1);
        await ExpectNothingAsync("with an answer");
        await stub.Page.Locator("header button").First.EvaluateAsync("button => button.getRootNode().querySelectorAll('header button')[1].click()");
        await ExpectNothingAsync("asking before it deletes");

        async Task ExpectNothingAsync(string state)
        {
            var violations = await stub.Page.EvaluateAsync<string[]>("""
                async () => (await axe.run()).violations.flatMap(v => v.nodes.map(node => `${v.id}: ${node.target} ${node.failureSummary}`))
                """);
            Assert.True(violations.Length == 0, $"{state}:\n{string.Join('\n', violations)}");
        }
    }

    [Fact]
    public async Task It_works_by_keyboard_alone()
    {
        await using var stub = await StubPage.StartAsync();
        stub.Html = "<main><button>Before</button></main>";
        await stub.OpenAsync();
        await stub.Page.GetByRole(AriaRole.Button, new() { Name = "Before" }).FocusAsync();
        await stub.Page.Keyboard.PressAsync("Tab");
        Assert.Equal("Ask the book", await FocusedAsync());
        await stub.Page.Keyboard.PressAsync("Enter");
        Assert.Equal("Ask the book TEXTAREA", await FocusedAsync());

        await stub.Page.Keyboard.TypeAsync("How?");
        await stub.Page.Keyboard.PressAsync("Enter");
        await Assertions.Expect(stub.Page.Locator(".sources li")).ToHaveCountAsync(1);
        var order = new List<string>();
        for (var i = 0; i < 9; i++)
        {
            await stub.Page.Keyboard.PressAsync("Shift+Tab");
            order.Add(await FocusedAsync());
        }

        Assert.Equal(["Bad answer", "Good answer", "Ask again", "Copy", "Nodes and Topics › How nodes talk", "1: Nodes and Topics › How nodes talk", "Ask Robots DIV", "Close", "New conversation"], order);
        await stub.Page.Keyboard.PressAsync("Escape");
        Assert.Equal("Ask the book", await FocusedAsync());
        await Assertions.Expect(stub.Page.GetByRole(AriaRole.Dialog)).ToBeHiddenAsync();

        // Opened from the page, it gives the focus back to where it was.
        await stub.Page.GetByRole(AriaRole.Button, new() { Name = "Before" }).FocusAsync();
        await stub.Page.Keyboard.PressAsync("Control+k");
        Assert.Equal("Ask the book TEXTAREA", await FocusedAsync());
        await stub.Page.Keyboard.PressAsync("Escape");
        Assert.Equal("Before", await FocusedAsync());

        Task<string> FocusedAsync() => stub.Page.EvaluateAsync<string>("""
            () => {
                const e = document.activeElement.shadowRoot?.activeElement ?? document.activeElement
                return (e.ariaLabel ?? e.textContent) + (['TEXTAREA', 'DIV'].includes(e.nodeName) ? ` ${e.nodeName}` : '')
            }
            """);
    }

    [Fact]
    public async Task A_screen_reader_hears_whole_sentences_once()
    {
        await using var stub = await StubPage.StartAsync();
        stub.Pieces = ["Two no", "des **talk** ov", "er topics [1]. A ser", "vice is a c", "all. It ends he", "re"];
        await stub.OpenAsync();
        await stub.Page.EvaluateAsync("() => chatbackendWidget.open()");
        await stub.Page.EvaluateAsync("""
            () => {
                window.heard = []
                const live = document.querySelector('chatbackend-widget').shadowRoot.querySelector('[aria-live]')
                new MutationObserver(changes => changes.forEach(c => c.addedNodes.forEach(n => window.heard.push(n.textContent.trim())))).observe(live, { childList: true })
            }
            """);
        await stub.AskAsync();
        var heard = await stub.Page.EvaluateAsync<string[]>("() => window.heard");

        Assert.Equal("Two nodes talk over topics . A service is a call. It ends here", string.Join(' ', heard.Where(text => text.Length > 0)));
        Assert.All(heard.SkipLast(1), text => Assert.EndsWith(".", text));
    }

    [Theory]
    [InlineData(320, 568, 1)]
    [InlineData(640, 480, 2)]
    public async Task Nothing_is_cut_off_on_a_small_screen_or_when_zoomed(int width, int height, int zoom)
    {
        // Zoom halves what a page has of the screen.
        await using var stub = await StubPage.StartAsync(new() { ViewportSize = new() { Width = width / zoom, Height = height / zoom }, DeviceScaleFactor = zoom });
        stub.Pieces = [Repository.Text("tests/ChatBackend.Tests/Features/Widget/ordinary-answer.md")];
        stub.Settings = "data-title=\"A very long title of a book that does not fit on a small screen\"";
        await stub.OpenAsync();
        await stub.AskAsync();

        Assert.Empty(await stub.Page.EvaluateAsync<string[]>("""
            () => {
                const root = document.querySelector('chatbackend-widget').shadowRoot
                const seen = e => e.checkVisibility() && !e.closest('pre, .table, .hidden, h2')
                const outside = e => { const { left, right } = e.getBoundingClientRect(); return left < 0 || right > innerWidth + 1 }
                const log = root.querySelector('.log')
                return [...root.querySelectorAll('.panel, .panel *')].filter(e => seen(e) && outside(e)).map(e => `${e.localName}.${e.className}`)
                    .concat(document.documentElement.scrollWidth > innerWidth ? ['the page scrolls sideways'] : [], log.scrollWidth > log.clientWidth ? ['the log scrolls sideways'] : [],
                        log.clientHeight < 60 ? [`the log has ${log.clientHeight} px`] : [])
            }
            """));
        await Assertions.Expect(stub.Page.GetByRole(AriaRole.Button, new() { Name = "Close" })).ToBeInViewportAsync();
        // There the panel is a sheet: it has the whole width.
        Assert.Equal(width / zoom, (await stub.Page.Locator(".panel").BoundingBoxAsync())!.Width);
    }

    [Fact]
    public async Task It_keeps_still_and_keeps_its_borders_where_the_reader_wants_that()
    {
        await using var stub = await StubPage.StartAsync(new() { ReducedMotion = ReducedMotion.Reduce, ForcedColors = ForcedColors.Active });
        await stub.OpenAsync();
        Assert.Equal("solid", await stub.Page.Locator(".launcher").EvaluateAsync<string>("element => getComputedStyle(element).borderTopStyle"));
        await stub.Page.EvaluateAsync("() => chatbackendWidget.open()");

        Assert.Equal("none", await stub.Page.Locator(".panel").EvaluateAsync<string>("element => getComputedStyle(element).animationName"));
        await stub.Page.Keyboard.TypeAsync("nodes");
        await Assertions.Expect(stub.Page.GetByRole(AriaRole.Option)).ToHaveCountAsync(2);
        await stub.Page.Keyboard.PressAsync("ArrowDown");
        Assert.Equal("solid", await stub.Page.GetByRole(AriaRole.Option).First.EvaluateAsync<string>("element => getComputedStyle(element).outlineStyle"));
    }

    /// <summary>axe-core as a script, from npm.</summary>
    private static async Task<string> AxeAsync()
    {
        var modules = await NpmPackages.InstallAsync("axe-core@4.14.1");
        Assert.SkipWhen(modules is null, "npm could not install axe-core.");
        return await File.ReadAllTextAsync(Path.Combine(modules, "axe-core", "axe.min.js"));
    }
}
