using System.Collections.Concurrent;
using Microsoft.Playwright;

namespace ChatBackend.Tests.Features.Widget;

/// <summary>A page of the site with the widget on it, as its reader sees it.</summary>
internal sealed class WidgetPage : IAsyncDisposable
{
    private readonly ConcurrentQueue<string> _complaints = new();
    private readonly ConcurrentQueue<IRequest> _requests = new();

    private WidgetPage(IPage page) => Page = page;

    public IPage Page { get; }

    /// <summary>What went to the service, without preflights.</summary>
    public IReadOnlyCollection<IRequest> Requests => _requests;

    /// <summary>Errors and warnings in the console, and exceptions that nobody caught.</summary>
    public IReadOnlyCollection<string> Complaints => _complaints;

    public ILocator Launcher => Page.Locator("chatbackend-widget .launcher");

    public ILocator Panel => Page.GetByRole(AriaRole.Dialog);

    public ILocator Input => Panel.Locator("textarea");

    public ILocator Turns => Panel.Locator("article");

    public ILocator LastAnswer => Turns.Last.Locator(".answer");

    public ILocator State => Turns.Last.Locator(".state");

    public ILocator Options => Panel.GetByRole(AriaRole.Option);

    public static async Task<WidgetPage> OpenAsync(IBrowserContext context, string address)
    {
        var opened = new WidgetPage(await context.NewPageAsync().PatientAsync());
        opened.Page.Console += (_, message) =>
        {
            // The built site has no icon; a browser asks for it once.
            if (message.Type is "error" or "warning" && !message.Location.Contains("favicon", StringComparison.Ordinal))
                opened._complaints.Enqueue(message.Text);
        };
        opened.Page.PageError += (_, error) => opened._complaints.Enqueue(error);
        opened.Page.Request += (_, request) =>
        {
            if (new Uri(request.Url).Host == "127.0.0.1")
                opened._requests.Enqueue(request);
        };
        await opened.Page.GotoAsync(address);
        await opened.WaitUntilLoadedAsync();
        return opened;
    }

    /// <summary>The same browser, another tab.</summary>
    public Task<WidgetPage> OpenTabAsync() => OpenAsync(Page.Context, Page.Url);

    public async Task ReloadAsync()
    {
        await Page.ReloadAsync();
        await WaitUntilLoadedAsync();
    }

    public ILocator Button(string name) => Panel.GetByRole(AriaRole.Button, new() { Name = name, Exact = true });

    public async Task<WidgetPage> OpenPanelAsync()
    {
        await Launcher.ClickAsync();
        return this;
    }

    /// <summary>Asks, with the panel open.</summary>
    public async Task AskAsync(string question)
    {
        await Input.FillAsync(question);
        await Input.PressAsync("Enter");
    }

    /// <summary>Asks, and waits for the whole answer.</summary>
    public async Task<WidgetPage> AnswerAsync(string question = WidgetSite.Question)
    {
        await AskAsync(question);
        await Assertions.Expect(Turns.Last.Locator(".question")).ToContainTextAsync(question);
        await Assertions.Expect(Button("Ask again").Last).ToBeVisibleAsync();
        return this;
    }

    /// <summary>What the widget stores on the page's origin.</summary>
    public Task<string?> SessionAsync() => Page.EvaluateAsync<string?>("() => localStorage.getItem('chatbackend-session')");

    /// <summary>True while the page has not been loaded again.</summary>
    public Task<bool> IsMarkedAsync() => Page.EvaluateAsync<bool>("() => window.isMarked === true");

    public Task MarkAsync() => Page.EvaluateAsync("() => { window.isMarked = true }");

    public async ValueTask DisposeAsync() => await Page.Context.DisposeAsync();

    private Task<IJSHandle> WaitUntilLoadedAsync() => Page.WaitForFunctionAsync(
        "() => document.documentElement.dataset.hasHydrated === 'true' && document.querySelector('chatbackend-widget')");
}
