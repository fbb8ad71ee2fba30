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

    [Fact]
    public async Task It_follows_the_system_where_the_page_has_no_theme_of_its_own()
    {
        await using var stub = await StubPage.StartAsync(new() { ColorScheme = ColorScheme.Dark });
        await stub.OpenAsync();
        await Assertions.Expect(stub.Page.Locator("chatbackend-widget")).ToHaveAttributeAsync("data-theme", "dark");

        await stub.Page.EmulateMediaAsync(new() { ColorScheme = ColorScheme.Light });

        await Assertions.Expect(stub.Page.Locator("chatbackend-widget")).ToHaveAttributeAsync("data-theme", "light");
    }

    [Theory]
    [InlineData("grounded", "", "none")]
    [InlineData("partial", "The book answers this only in part.", "solid")]
    [InlineData("none", "The book has nothing on this.", "dashed")]
    public async Task An_answer_shows_in_its_looks_and_in_words_how_well_the_book_supports_it(string grounding, string sentence, string border)
    {
        await using var stub = await StubPage.StartAsync();
        stub.Grounding = grounding;
        await stub.OpenAsync();
        await stub.AskAsync();

        await Assertions.Expect(stub.Page.Locator(".turn .state")).ToHaveTextAsync(sentence);
        await Assertions.Expect(stub.Page.Locator(".turn .answer")).ToHaveCSSAsync("border-inline-start-style", border);
    }

    [Fact]
    public async Task A_long_answer_is_read_from_its_beginning()
    {
        await using var stub = await StubPage.StartAsync();
        stub.Pieces = [.. Enumerable.Range(0, 60).Select(i => $"Paragraph {i}.\n\n")];
        await stub.OpenAsync();
        await stub.AskAsync();
        await stub.AskAsync();

        await Assertions.Expect(stub.Page.Locator(".turn .question").Last).ToBeInViewportAsync();
        await Assertions.Expect(stub.Page.Locator(".turn .question").First).Not.ToBeInViewportAsync();
    }

    [Fact]
    public async Task A_reader_who_scrolls_to_the_end_of_an_answer_follows_it()
    {
        await using var stub = await StubPage.StartAsync();
        stub.Pieces = [.. Enumerable.Range(0, 60).Select(i => $"Paragraph {i}.\n\n")];
        stub.Before = async i =>
        {
            if (i != 40)
                return;
            await Assertions.Expect(stub.Page.Locator(".turn .answer")).ToContainTextAsync("Paragraph 39.");
            await stub.Page.Locator(".log").EvaluateAsync("log => { log.scrollTop = log.scrollHeight }");
        };
        await stub.OpenAsync();
        await stub.AskAsync();

        await Assertions.Expect(stub.Page.Locator(".answer p").Last).ToBeInViewportAsync();
    }

    [Fact]
    public async Task It_works_where_the_browser_gives_it_no_storage_and_the_sites_sign_in_fails()
    {
        await using var stub = await StubPage.StartAsync();
        stub.Html += """
            <script>
              Object.defineProperty(window, 'localStorage', { get() { throw new DOMException('Denied', 'SecurityError') } })
              window.chatbackend = { token: async () => { throw new Error('No sign-in today') } }
            </script>
            """;
        await stub.Page.GotoAsync(stub.Origin);
        await stub.Page.WaitForFunctionAsync("() => document.querySelector('chatbackend-widget')");
        await stub.AskAsync();

        await Assertions.Expect(stub.Page.Locator(".turn .answer")).ToHaveTextAsync("Over topics 1.");
        Assert.All(stub.Errors, error => Assert.StartsWith("ChatBackend: window.chatbackend.token failed, so the reader is anonymous.", error));
    }

    [Theory]
    [InlineData(503, """{"status":503,"code":"database_unavailable"}""", "The answer could not be written just now. Try again in a moment.")]
    [InlineData(502, "<h1>Bad Gateway</h1>", "The answer could not be written just now. Try again in a moment.")]
    [InlineData(429, """{"status":429,"code":"budget_spent"}""", "Today's limit is reached. Try again tomorrow.")]
    [InlineData(400, """{"status":400,"code":"invalid_request","detail":"message must have a letter."}""", "message must have a letter.")]
    [InlineData(418, "", "Something went wrong. Try again.")]
    public async Task A_refusal_is_a_sentence_with_a_button(int status, string problem, string sentence)
    {
        await using var stub = await StubPage.StartAsync();
        await stub.OpenAsync();
        await stub.Page.RouteAsync("**/chat", route => route.FulfillAsync(new() { Status = status, ContentType = "application/problem+json", Body = problem }));
        await stub.AskAsync();
        await Assertions.Expect(stub.Page.Locator(".turn .state")).ToHaveTextAsync(sentence);

        await stub.Page.UnrouteAllAsync();
        await stub.Page.GetByRole(AriaRole.Button, new() { Name = "Try again" }).ClickAsync();

        await Assertions.Expect(stub.Page.Locator(".turn .answer")).ToHaveTextAsync("Over topics 1.");
        await Assertions.Expect(stub.Page.Locator(".turn")).ToHaveCountAsync(1);
    }

    [Fact]
    public async Task A_service_that_starts_again_is_waited_for()
    {
        await using var stub = await StubPage.StartAsync();
        await stub.OpenAsync();
        var keys = new List<string>();
        await stub.Page.RouteAsync("**/chat", route =>
        {
            keys.Add(route.Request.Headers["idempotency-key"]);
            return keys.Count > 2 ? route.ContinueAsync() : route.FulfillAsync(new() { Status = 502, Body = "<h1>Bad Gateway</h1>" });
        });
        await stub.AskAsync();

        await Assertions.Expect(stub.Page.Locator(".turn .answer")).ToHaveTextAsync("Over topics 1.");
        Assert.Equal(3, keys.Count);
        Assert.Single(keys.Distinct());
    }

    [Fact]
    public async Task A_selection_is_offered_on_the_page_but_not_in_a_field_and_has_a_limit()
    {
        await using var stub = await StubPage.StartAsync();
        stub.Html = $"<main><p>{new string('x', 9_000)}</p><div contenteditable>Text in a field</div></main>";
        await stub.OpenAsync();
        var about = stub.Page.GetByRole(AriaRole.Button, new() { Name = "Ask about this" });
        await stub.Page.EvaluateAsync("() => getSelection().selectAllChildren(document.querySelector('p'))");
        await Assertions.Expect(about).ToBeVisibleAsync();
        await stub.Page.Locator("main div").SelectTextAsync();
        await Assertions.Expect(about).ToBeHiddenAsync();
        await stub.Page.EvaluateAsync("() => { document.activeElement.blur(); getSelection().selectAllChildren(document.querySelector('p')) }");
        await about.ClickAsync();
        var sent = stub.Page.WaitForRequestAsync("**/chat");
        await stub.Page.Keyboard.TypeAsync("What is it?");
        // A word that is still being composed is not the whole question.
        await stub.Page.Locator(".panel textarea").EvaluateAsync("field => field.dispatchEvent(new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true }))");
        Assert.False(sent.IsCompleted);
        await stub.Page.Keyboard.PressAsync("Enter");

        using var body = System.Text.Json.JsonDocument.Parse((await sent).PostData!);
        Assert.Equal(8_000, body.RootElement.GetProperty("selected_text").GetString()!.Length);
        await Assertions.Expect(stub.Page.Locator(".turn")).ToHaveCountAsync(1);
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
