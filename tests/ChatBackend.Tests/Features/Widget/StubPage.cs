using System.Collections.Concurrent;
using System.Text.Json;
using ChatBackend.Features.Widget;
using ChatBackend.Infrastructure.Docusaurus;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Playwright;

namespace ChatBackend.Tests.Features.Widget;

/// <summary>A page with the widget in Debian's Chromium. Its service streams the answer that a test gives it.</summary>
internal sealed class StubPage : IAsyncDisposable
{
    private static readonly FileExtensionContentTypeProvider Types = new();

    private readonly ConcurrentQueue<string> _requests = new();
    private readonly ConcurrentQueue<string> _errors = new();
    private WebApplication _site = null!;
    private IPlaywright _playwright = null!;
    private IBrowser _browser = null!;

    public IPage Page { get; private set; } = null!;

    /// <summary>Where the page is.</summary>
    public string Origin => _site.Urls.Single();

    /// <summary>The page without the script tag.</summary>
    public string Html { get; set; } = "<main><h1>Nodes</h1><p>Two nodes talk to each other over topics.</p></main>";

    public string Language { get; set; } = "en";

    /// <summary>Attributes of the script tag.</summary>
    public string Settings { get; set; } = "";

    public string? Policy { get; set; }

    /// <summary>What the answer's deltas are.</summary>
    public IReadOnlyList<string> Pieces { get; set; } = ["Over topics [1]."];

    public string Grounding { get; set; } = "grounded";

    /// <summary>The turn's last event is not sent before this is complete.</summary>
    public Task Held { get; set; } = Task.CompletedTask;

    /// <summary>Awaited before each of the deltas.</summary>
    public Func<int, Task> Before { get; set; } = _ => Task.CompletedTask;

    /// <summary>The folder of a built site, at /base/.</summary>
    public string? Site { get; set; }

    /// <summary>Gives the translation of a block; null where the stream breaks.</summary>
    public Func<int, string, Task<string?>> Translate { get; set; } = (_, block) => Task.FromResult<string?>(block);

    /// <summary>Why passages were not translated.</summary>
    public string[] Warnings { get; set; } = [];

    /// <summary>The texts that were sent for translation.</summary>
    public List<string> Translated { get; } = [];

    /// <summary>What the page requested since it was opened, without the page and the script themselves.</summary>
    public IReadOnlyList<string> Requests => [.. _requests.Where(url => url != $"{Origin}/" && url != $"{Origin}/widget.js")];

    /// <summary>What went wrong on the page.</summary>
    public IReadOnlyList<string> Errors => [.. _errors];

    public static async Task<StubPage> StartAsync(BrowserNewPageOptions? options = null, params string[] arguments)
    {
        Chromium.SkipWhereThereIsNone();
        var page = new StubPage();
        var builder = WebApplication.CreateSlimBuilder();
        builder.Services.Configure<SiteOptions>(site => site.BookTitle = "Robots");
        page._site = builder.Build();
        page._site.Urls.Add("http://127.0.0.1:0");
        page._site.MapWidget();
        page._site.MapGet("/", page.ShowAsync);
        page._site.MapPost("/chat", page.AnswerAsync);
        page._site.MapGet("/base/{**path}", (string? path) => page.File(path ?? ""));
        page._site.MapPost("/translate", page.TranslateAsync);
        page._site.MapGet("/health", () => new { status = "ok" });
        page._site.MapGet("/search/suggest", () => new
        {
            headings = new[] { new { title = "Nodes and Topics", heading = "How nodes talk", url = "/#talk" }, new { title = "Nodes and Topics", heading = "Node names", url = "/#names" } },
        });
        page._site.MapGet("/chat/sessions/{id}/messages", () => new { items = Array.Empty<string>() });
        await page._site.StartAsync(TestContext.Current.CancellationToken);
        page._playwright = await Playwright.CreateAsync();
        page._browser = await Chromium.LaunchAsync(page._playwright, arguments);
        page.Page = await page._browser.NewPageAsync(options).PatientAsync();
        page.Page.Request += (_, request) => page._requests.Enqueue(request.Url);
        page.Page.PageError += (_, error) => page._errors.Enqueue(error);
        page.Page.Console += (_, message) =>
        {
            if (message.Type == "error" && !message.Location.Contains("favicon", StringComparison.Ordinal))
                page._errors.Enqueue(message.Text);
        };
        return page;
    }

    /// <summary>Opens the page anew, with a widget that knows no conversation.</summary>
    public async Task OpenAsync()
    {
        await Page.GotoAsync(Origin);
        await Page.WaitForFunctionAsync("() => window.chatbackendWidget && document.querySelector('chatbackend-widget')");
        await Page.EvaluateAsync("() => localStorage.clear()");
    }

    /// <summary>Asks, and waits until the answer is complete.</summary>
    public Task AskAsync() => Page.EvaluateAsync("() => chatbackendWidget.ask('How?')");

    /// <summary>The answer's elements as they are drawn.</summary>
    public Task<string> AnswerHtmlAsync() => Page.Locator(".turn .answer").Last.EvaluateAsync<string>("element => element.innerHTML");

    public async ValueTask DisposeAsync()
    {
        await _browser.DisposeAsync();
        _playwright.Dispose();
        await _site.DisposeAsync();
    }

    private Task ShowAsync(HttpResponse response)
    {
        if (Policy is not null)
            response.Headers.ContentSecurityPolicy = Policy;
        response.ContentType = "text/html; charset=utf-8";
        return response.WriteAsync($"<!doctype html><html lang=\"{Language}\"><head><title>Nodes</title><link rel=\"icon\" href=\"data:,\"><script src=\"/widget.js\" {Settings} async></script></head><body>{Html}</body></html>");
    }

    private IResult File(string path)
    {
        string[] names = [path, Path.Combine(path, "index.html"), $"{path}.html", "404.html"];
        var file = names.Select(name => Path.Combine(Site!, name)).First(System.IO.File.Exists);
        if (!file.EndsWith(".html", StringComparison.Ordinal))
            return Results.File(file, Types.TryGetContentType(file, out var type) ? type : null);
        return Results.Content(System.IO.File.ReadAllText(file).Replace("</head>", $"<script src=\"/widget.js\" {Settings} async></script></head>", StringComparison.Ordinal), "text/html; charset=utf-8");
    }

    private async Task TranslateAsync(HttpContext context)
    {
        var text = (await context.Request.ReadFromJsonAsync<JsonElement>()).GetProperty("text").GetString()!;
        Translated.Add(text);
        context.Response.ContentType = "text/event-stream";
        foreach (var (index, block) in text.Split("\n\n").Index())
        {
            if (await Translate(index, block) is not { } translation)
            {
                context.Abort();
                return;
            }

            await SendAsync("segment", new { index, block = index, text = translation, block_text = translation });
        }

        await SendAsync("completed", new { warnings = Warnings });

        async Task SendAsync(string name, object data)
        {
            await context.Response.WriteAsync($"event: {name}\ndata: {JsonSerializer.Serialize(data)}\n\n");
            await context.Response.Body.FlushAsync();
        }
    }

    private async Task AnswerAsync(HttpResponse response)
    {
        var citations = new[] { new { number = 1, title = "Nodes and Topics", heading = "How nodes talk", url = "/#talk", snippet = "Two nodes talk." } };
        var number = 0;
        async Task SendAsync(string name, object data, string? id = null)
        {
            await response.WriteAsync($"id: turn.{id ?? $"{number++}"}\nevent: {name}\ndata: {JsonSerializer.Serialize(data)}\n\n");
            await response.Body.FlushAsync();
        }

        response.ContentType = "text/event-stream";
        await SendAsync("turn", new { turn_id = Guid.NewGuid(), session_id = Guid.NewGuid() });
        await SendAsync("citations", new { citations });
        foreach (var (i, text) in Pieces.Index())
        {
            await Before(i);
            await SendAsync("delta", new { text });
        }

        await Held;
        await SendAsync("completed", new { response = string.Concat(Pieces), citations, grounding = Grounding, message_id = Guid.NewGuid() }, "end");
    }
}
