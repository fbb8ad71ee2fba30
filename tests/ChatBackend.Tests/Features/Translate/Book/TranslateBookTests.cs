using System.Text.Json;
using ChatBackend.Features.Translate.Book;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using Spectre.Console;

namespace ChatBackend.Tests.Features.Translate.Book;

public sealed class TranslateBookTests : IAsyncLifetime
{
    private readonly string _site = Directory.CreateTempSubdirectory("translate").FullName;
    private readonly ChatBackendApp _app = new() { ["OPENAI_API_KEY"] = "sk-test", ["AI_PROVIDER"] = "openai" };
    private StubOpenAi _model = null!;
    private string _output = "";

    public async ValueTask InitializeAsync()
    {
        _model = await StubOpenAi.StartAsync();
        _model.Default = UrduModel.Answer;
        _app["OPENAI_BASE_URL"] = _model.BaseUrl;
        await _app.InitializeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        await _model.DisposeAsync();
        Directory.Delete(_site, recursive: true);
    }

    private string Docs => Path.Combine(_site, "docs");

    private IEnumerable<string> Asked => _model.Requests.SelectMany(UrduModel.TextsOf);

    [Fact]
    public async Task A_book_is_translated_once_and_then_only_what_has_changed()
    {
        Write("docs/a.mdx", "---\ntitle: A page\n---\nimport Part from './parts/_part.mdx';\n\n## Some words\n\n![an image](./img/x.png)\n\n<Part/>\n\n```js\nconst code = 1;\n```\n");
        Write("docs/parts/_part.mdx", "From the part.\n");
        Write("docs/parts/_unused.mdx", "Nobody imports this.\n");
        Write("docs/img/x.png", "not text");
        Write("docs/b.md", "# Another\n\nOne paragraph.\n\nTwo paragraphs.\n");
        Write("docs/draft.md", "---\ndraft: true\n---\nNot ready.\n");
        Write("docs/_category_.json", "{}");

        Assert.Equal(0, await RunAsync(Docs, "--to", "ur"));
        Assert.Equal(["a.mdx", "b.md", "img/x.png", "parts/_part.mdx"], Translated());
        Assert.Contains("import Part from './parts/_part.mdx';\n\n## ", Read("a.mdx"), StringComparison.Ordinal);
        Assert.Matches(@"## \p{IsArabic}+ \p{IsArabic}+ \{/\* #some-words \*/\}\n", Read("a.mdx"));
        Assert.Contains("(./img/x.png)\n\n<Part/>\n\n```js\nconst code = 1;\n```\n", Read("a.mdx"), StringComparison.Ordinal);
        Assert.DoesNotContain("Nobody imports this.", Asked);
        Assert.DoesNotContain("Not ready.", Asked);
        Assert.Contains("3 pages, 0 files of texts, 7 segments: 0 stored already, 7 to translate", _output, StringComparison.Ordinal);
        Assert.Contains("3 files: 3 written, 0 unchanged", _output, StringComparison.Ordinal);
        Assert.Contains("1 draft skipped.", _output, StringComparison.Ordinal);

        var (asked, writtenAt) = (Asked.Count(), File.GetLastWriteTimeUtc(Output("a.mdx")));
        Write("docs/b.md", "# Another\n\nOne paragraph.\n\nThree paragraphs.\n");
        Assert.Equal(0, await RunAsync(Docs, "--to", "ur"));
        Assert.Equal(["Three paragraphs."], Asked.Skip(asked));
        Assert.Equal(writtenAt, File.GetLastWriteTimeUtc(Output("a.mdx")));
        Assert.Contains("3 files: 1 written, 2 unchanged", _output, StringComparison.Ordinal);

        File.Delete(Path.Combine(Docs, "b.md"));
        Assert.Equal(0, await RunAsync(Docs, "--to", "ur"));
        Assert.Contains("no original any more (--prune removes it): b.md", _output, StringComparison.Ordinal);
        Assert.True(File.Exists(Output("b.md")));
        Assert.Equal(0, await RunAsync(Docs, "--to", "ur", "--prune"));
        Assert.Equal(["a.mdx", "img/x.png", "parts/_part.mdx"], Translated());
    }

    [Fact]
    public async Task A_page_that_somebody_has_corrected_stays_and_a_copy_of_the_original_does_not()
    {
        Write("docs/a.md", "One.\n");
        Write("docs/b.md", "Two.\n");
        Write("docs/c.md", "Three.\n");
        Write("i18n/ur/docusaurus-plugin-content-docs/current/b.md", "Two.\n");
        Write("i18n/ur/docusaurus-plugin-content-docs/current/c.md", "By hand.\n");
        Assert.Equal(0, await RunAsync(Docs, "--to", "ur"));
        Assert.Equal("By hand.\n", Read("c.md"));
        Assert.NotEqual("Two.\n", Read("b.md"));

        await File.WriteAllTextAsync(Output("a.md"), "Corrected.\n", TestContext.Current.CancellationToken);
        Write("docs/a.md", "One more.\n");
        Assert.Equal(0, await RunAsync(Docs, "--to", "ur"));
        Assert.Equal("Corrected.\n", Read("a.md"));
        Assert.Contains("changed by hand, left as it is (--force overwrites it): a.md", _output, StringComparison.Ordinal);

        Assert.Equal(0, await RunAsync(Docs, "--to", "ur", "--force"));
        Assert.Matches(@"^\p{IsArabic}+ \p{IsArabic}+\.\n$", Read("a.md"));
    }

    [Fact]
    public async Task Texts_of_the_site_are_translated_once_with_their_placeholders()
    {
        Write("docs/a.md", "One.\n");
        Write("i18n/ur/code.json", """
            {
              "plural": {"message": "One page|{count} pages", "description": "A description"},
              "markup": {"message": "  Read <b>{title}</b> at https://x.y/z_z - *not* `code` & [more], {name}. "},
              "nothing": {"message": "{count}"},
              "urdu": {"message": "یہ پہلے سے اردو میں ہے"}
            }
            """);
        Write("i18n/ur/docusaurus-theme-classic/navbar.json", """{"title": {"message": "1. import things"}}""");
        Write("i18n/ur/docusaurus-plugin-content-docs/current.json", """{"sidebar.all.category.Part One": {"message": "Part One"}}""");

        Assert.Equal(0, await RunAsync(Docs, "--to", "ur"));
        var code = Messages("code.json");
        Assert.Matches(@"^\p{IsArabic}+ \p{IsArabic}+\|\{count\} \p{IsArabic}+$", code["plural"]);
        Assert.Matches(@"^  \p{IsArabic}+ <b>\{title\}</b> \p{IsArabic}+ https://x\.y/z_z - \*\p{IsArabic}+\* `\p{IsArabic}+` & \[\p{IsArabic}+\], \{name\}\. $", code["markup"]);
        Assert.Equal(("{count}", "یہ پہلے سے اردو میں ہے"), (code["nothing"], code["urdu"]));
        Assert.Contains("\"description\": \"A description\"", await File.ReadAllTextAsync(Path.Combine(_site, "i18n/ur/code.json"), TestContext.Current.CancellationToken), StringComparison.Ordinal);
        Assert.Matches(@"^1\. \p{IsArabic}+ \p{IsArabic}+$", Messages("docusaurus-theme-classic/navbar.json")["title"]);
        Assert.Matches(@"^\p{IsArabic}+ \p{IsArabic}+$", Messages("docusaurus-plugin-content-docs/current.json")["sidebar.all.category.Part One"]);

        var asked = Asked.Count();
        Write("i18n/ur/docusaurus-theme-classic/navbar.json", """{"title": {"message": "A title of ours"}}""");
        Assert.Equal(0, await RunAsync(Docs, "--to", "ur"));
        Assert.Equal(asked, Asked.Count());
        Assert.Equal("A title of ours", Messages("docusaurus-theme-classic/navbar.json")["title"]);
    }

    [Fact]
    public async Task A_plan_asks_nothing_and_writes_nothing()
    {
        Write("docs/a.md", "One.\n\nTwo.\n");
        Write("docs/b.md", "Two.\n");

        Assert.Equal(0, await RunAsync(Docs, "--to", "ur", "--plan"));
        Assert.Empty(_model.Requests);
        Assert.False(Directory.Exists(Path.Combine(_site, "i18n")));
        Assert.Contains("A plan; nothing was written. 2 pages, 0 files of texts, 3 segments: 0 stored already, 3 to translate, about ", _output, StringComparison.Ordinal);
        Assert.Contains("to translate: a.md (2 of 2 segments)", _output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_model_that_fails_leaves_what_is_translated_for_the_next_run()
    {
        for (var page = 0; page < 9; page++)
            Write($"docs/{page}.md", $"Page number {page}.\n");
        _model.Default = _ => "no JSON";
        Assert.Equal(0, await RunAsync(Docs, "--to", "ur"));
        Assert.Contains("warning: 0.md, line 1: This passage is not translated.", _output, StringComparison.Ordinal);

        _model.Default = UrduModel.Answer;
        _model.Fail(401, "invalid_api_key", times: 4);
        Assert.Equal(1, await RunAsync(Docs, "--to", "ur"));
        Assert.Contains("other files: they were not tried", _output, StringComparison.Ordinal);

        _model.Clear();
        Assert.Equal(0, await RunAsync(Docs, "--to", "ur"));
        Assert.All(Enumerable.Range(0, 9), page => Assert.Matches(@"^\p{IsArabic}+ \p{IsArabic}+ [0-9]\.\n$", Read($"{page}.md")));
    }

    [Theory]
    [InlineData("Usage: ChatBackend translate", "docs")]
    [InlineData("Usage: ChatBackend translate", "docs", "--to")]
    [InlineData("is not the tag of a known language", "docs", "--to", "klingon")]
    [InlineData("The book is in en already.", "docs", "--to", "en-GB")]
    [InlineData("There is no folder", "nowhere", "--to", "ur")]
    [InlineData("There are no .md or .mdx files", "empty", "--to", "ur")]
    [InlineData("must not be in each other", "docs", "--to", "ur", "--out", "docs/ur")]
    public async Task What_is_asked_wrongly_is_said(string expected, params string[] arguments)
    {
        Write("docs/a.md", "One.\n");
        Directory.CreateDirectory(Path.Combine(_site, "empty"));

        Assert.Equal(1, await RunAsync([.. arguments.Select(a => a is "docs" or "nowhere" or "empty" or "docs/ur" ? Path.Combine(_site, a) : a)]));
        Assert.Contains(expected, _output, StringComparison.Ordinal);
        Assert.Empty(_model.Requests);
    }

    /// <summary>Kills the program after some calls, several times, and then lets it finish.</summary>
    [Fact]
    public async Task A_run_that_is_killed_is_continued_and_nothing_stored_is_paid_for_again()
    {
        for (var page = 0; page < 30; page++)
            Write($"docs/{page:00}.md", string.Concat(Enumerable.Range(0, 10).Select(n => $"## Heading {n} of page {page}\n\nParagraph number {n} of page {page} has some more words, so that a call has few of them.\n\n")));
        var settings = new Dictionary<string, string>
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["DATABASE_URL"] = $"{_app.Database};Application Name=translate",
            ["OPENAI_API_KEY"] = "sk-test",
            ["OPENAI_BASE_URL"] = _model.BaseUrl,
            ["SAMPLE_BOOK"] = "off",
            ["TranslationCache__Lease"] = "00:00:01",
            ["TranslationCache__Renewal"] = "00:00:00.300",
        };
        _ = _app.Client;
        foreach (var calls in new[] { 5, 40 })
        {
            var before = _model.Requests.Count;
            await using var process = ServiceProcess.Start(settings, "translate", Docs, "--to", "ur");
            await Until.TrueAsync(() => process.HasExited || _model.Requests.Count >= before + calls, "The model is not asked.");
            process.Kill();
            await process.WaitForExitAsync();
            Assert.All(Translated(), path => Assert.Matches(@"#heading-9-of-page-[0-9]+ \*/\}\n\n\p{IsArabic}", Read(path)));
        }

        // The server may still run the last statement of a process that is dead.
        await Until.TrueAsync(
            async () => !await _app.ScalarAsync<bool>("select exists (select from pg_stat_activity where datname = current_database() and application_name = 'translate')"),
            "A connection of a killed process stays.");
        var paid = await _app.ScalarAsync<int>("select count(*)::int from translations where translation is not null");
        Assert.InRange(paid, 1, 599);
        // A request that a killed process has sent may still arrive at the other model.
        await using var model = await StubOpenAi.StartAsync();
        model.Default = UrduModel.Answer;
        settings["OPENAI_BASE_URL"] = model.BaseUrl;
        await using var last = ServiceProcess.Start(settings, "translate", Docs, "--to", "ur");
        Assert.Equal(0, await last.WaitForExitAsync());

        Assert.Equal(600 - paid, model.Requests.SelectMany(UrduModel.TextsOf).Count());
        Assert.Contains($"600 segments: {paid} stored already", last.Output, StringComparison.Ordinal);
        Assert.Equal(30, Translated().Length);
        Assert.Empty(Directory.GetFiles(Path.Combine(_site, "i18n"), "*.tmp", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None }));
    }

    [Fact]
    public async Task Ctrl_C_ends_it_with_1_and_no_stack_trace()
    {
        Write("docs/a.md", "One.\n");
        _model.Hang();
        await using var process = ServiceProcess.Start(
            new() { ["DATABASE_URL"] = _app.Database, ["OPENAI_API_KEY"] = "sk-test", ["OPENAI_BASE_URL"] = _model.BaseUrl, ["MODEL_TIMEOUT_SECONDS"] = "5", ["SAMPLE_BOOK"] = "off" },
            "translate", Docs, "--to", "ur");
        await Until.TrueAsync(() => process.HasExited || _model.Requests.Count > 0, "The model is not asked.");
        process.Stop();

        Assert.Equal(1, await process.WaitForExitAsync());
        Assert.DoesNotContain("   at ", process.Output);
        Assert.Empty(Translated());
    }

    private async Task<int> RunAsync(params string[] arguments)
    {
        var output = new StringWriter();
        var console = AnsiConsole.Create(new() { Out = new AnsiConsoleOutput(output), Ansi = AnsiSupport.No, Interactive = InteractionSupport.No });
        console.Profile.Width = int.MaxValue;
        _ = _app.Client;
        var code = await TranslateBook.RunAsync(_app.Services, arguments, console, TestContext.Current.CancellationToken);
        _output = output.ToString();

        return code;
    }

    private void Write(string path, string text)
    {
        var file = Path.Combine(_site, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }

    private string Output(string page) => Path.Combine(_site, "i18n/ur/docusaurus-plugin-content-docs/current", page);

    private string Read(string page) => File.ReadAllText(Output(page));

    private string[] Translated() => Directory.Exists(Output(""))
        ? [.. Directory.GetFiles(Output(""), "*", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(Output(""), file)).Where(file => !file.EndsWith(".tmp", StringComparison.Ordinal)).Order(StringComparer.Ordinal)]
        : [];

    private Dictionary<string, string> Messages(string path)
    {
        using var file = JsonDocument.Parse(File.ReadAllText(Path.Combine(_site, "i18n/ur", path)));

        return file.RootElement.EnumerateObject().ToDictionary(message => message.Name, message => message.Value.GetProperty("message").GetString()!);
    }
}
