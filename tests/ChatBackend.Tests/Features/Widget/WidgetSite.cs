using ChatBackend.Tests.Features.Chat;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using ChatBackend.Tests.Infrastructure.Auth;
using ChatBackend.Tests.Infrastructure.Docusaurus;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.StaticFiles;
using Microsoft.Extensions.Logging;
using Microsoft.Playwright;

namespace ChatBackend.Tests.Features.Widget;

/// <summary>The tests of the widget use one site, one after another.</summary>
[CollectionDefinition(nameof(WidgetSite))]
public sealed class WidgetSiteDefinition : ICollectionFixture<WidgetSite>;

/// <summary>The sample book as Docusaurus builds it, in Debian's Chromium, with the script tag of a service that runs in its own process beside a stub model.</summary>
public sealed class WidgetSite : IAsyncLifetime
{
    public const string Address = "http://localhost:3000/base/";
    public const string Question = "How do two ROS 2 nodes talk to each other?";
    public const string Answer = "Nodes talk to each other over topics: one publishes, the other subscribes [1].";

    private const string Secret = "a secret that the widget's tests share";

    private readonly FileExtensionContentTypeProvider _types = new();
    private readonly BuiltSite _built = new();
    private WebApplication? _server;
    private IPlaywright? _playwright;
    private IBrowser? _browser;
    private string _attributes = "";

    /// <summary>Why there is no site.</summary>
    public string? Missing { get; private set; }

    internal ServiceWithModel Services { get; private set; } = null!;

    internal ServiceProcess Process { get; private set; } = null!;

    internal ServiceRelay Relay { get; } = new();

    internal StubOpenAi Model => Services.Model;

    public async ValueTask InitializeAsync()
    {
        await _built.InitializeAsync();
        Missing = _built.Missing ?? (Chromium.IsInstalled ? null : "Chromium is not installed (apt-get install chromium).");
        if (Missing is not null)
            return;

        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        _server = builder.Build();
        _server.Urls.Add("http://127.0.0.1:0");
        _server.MapGet("/base/{**path}", (string? path) => Page(path ?? ""));
        await _server.StartAsync();
        Services = await ServiceWithModel.CreateAsync();
        Model.Default = _ => Answer;
        Model.Vector = VectorOf;
        Process = await StartAsync();
        Relay.Service = Process.Client.BaseAddress;
        _playwright = await Playwright.CreateAsync();
        // The service lets Docusaurus' own address in, whatever port was free; the other one it refuses.
        var authority = new Uri(_server.Urls.Single()).Authority;
        _browser = await Chromium.LaunchAsync(_playwright, $"--host-resolver-rules=MAP localhost:3000 {authority}, MAP refused.example {authority}");
    }

    /// <summary>Starts a process of the service and waits until it knows the book.</summary>
    internal async Task<ServiceProcess> StartAsync(params (string Name, string Value)[] settings)
    {
        (string Name, string Value)[] all = [
            .. settings, ("SAMPLE_BOOK", "on"), ("SITE_BASE_URL", Address), ("AUTH_SECRET", Secret), ("RATE_LIMIT_CHAT", "0"), ("RATE_LIMIT_SEARCH", "0"), ("RATE_LIMIT_TRANSLATE", "0")];
        var process = Services.Start([.. all.DistinctBy(s => s.Name)]);
        await process.WaitUntilReadyAsync();
        await Until.TrueAsync(
            async () => (await process.Client.GetStringAsync("search/suggest?q=node")).Contains("/base/docs/ros2/", StringComparison.Ordinal), "The sample book is not ingested.");
        return process;
    }

    /// <summary>A token of this reader.</summary>
    public static string Token(string reader, int hours = 1) =>
        SigningKey.Secret(Secret).Token($$"""{"sub":"{{reader}}","exp":{{DateTimeOffset.UtcNow.AddHours(hours).ToUnixTimeSeconds()}}}""");

    /// <summary>A reader's first page, in a browser that has seen nothing.</summary>
    /// <param name="attributes">Those of the script tag.</param>
    /// <param name="before">A script that runs on each page before all others.</param>
    internal async Task<WidgetPage> OpenAsync(string page = $"{Address}docs/intro", string attributes = "", string before = "", int width = 1280)
    {
        Assert.SkipWhen(Missing is not null, Missing ?? "");
        Model.Clear();
        _attributes = attributes;
        var context = await _browser!.NewContextAsync(new() { ViewportSize = new() { Width = width, Height = 800 }, Permissions = ["clipboard-read", "clipboard-write"] });
        if (before.Length > 0)
            await context.AddInitScriptAsync(before);
        return await WidgetPage.OpenAsync(context, page);
    }

    public async ValueTask DisposeAsync()
    {
        await Relay.DisposeAsync();
        await _built.DisposeAsync();
        if (Missing is not null)
            return;
        await _server!.DisposeAsync();
        await _browser!.DisposeAsync();
        _playwright!.Dispose();
        await Process.DisposeAsync();
        await Services.DisposeAsync();
    }

    /// <summary>Texts that share words are near, as with a real model: a question has to find its passage.</summary>
    private static float[] VectorOf(string text, int dimensions)
    {
        var vector = new float[dimensions];
        vector[0] = 0.1f;
        foreach (var word in text.ToLowerInvariant().Split([' ', '\n', '.', ',', ':', ';', '?', '(', ')', '*', '`'], StringSplitOptions.RemoveEmptyEntries))
            vector[(int)(word.Aggregate(2166136261u, (hash, letter) => (hash ^ letter) * 16777619) % (uint)dimensions)] = 1;
        return vector;
    }

    /// <summary>A file of the site. What Docusaurus writes for <c>scripts</c> in its configuration is added to the head.</summary>
    private IResult Page(string path)
    {
        string[] names = [path, Path.Combine(path, "index.html"), $"{path}.html", "404.html"];
        var file = names.Select(name => Path.Combine(_built.Build, name)).First(File.Exists);
        if (!file.EndsWith(".html", StringComparison.Ordinal))
            return Results.File(file, _types.TryGetContentType(file, out var type) ? type : null);
        var head = $"<script src=\"{Relay.Address}widget.js\" async {_attributes}></script></head>";
        return Results.Content(File.ReadAllText(file).Replace("</head>", head, StringComparison.Ordinal), "text/html; charset=utf-8");
    }
}
