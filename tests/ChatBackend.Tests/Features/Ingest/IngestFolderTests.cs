using ChatBackend.Features.Ingest;
using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Tests.Infrastructure.Search;
using ChatBackend.Tests.Infrastructure.Search.Qdrant;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace ChatBackend.Tests.Features.Ingest;

public sealed class IngestFolderTests : IAsyncLifetime
{
    private readonly string _folder = Directory.CreateTempSubdirectory("book").FullName;
    private readonly SearchDatabase _database = new();
    private readonly StringWriter _output = new();

    public ValueTask InitializeAsync() => _database.InitializeAsync();

    public async ValueTask DisposeAsync()
    {
        await _database.DisposeAsync();
        await _output.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task A_book_is_ingested_once_and_a_broken_page_does_not_stop_the_others()
    {
        Write("01-a.md", "# A\n\nText.");
        Write("02-broken.md", "---\ntitle: a: b\n---\nText.");
        Write("03-c.md", "# C\n\n## One\n\nText.");
        Write("04-draft.md", "---\ndraft: true\n---\nText.");

        Assert.Equal(1, await RunAsync(_folder));
        Assert.Equal(["01-a.md", "03-c.md"], await PathsAsync());
        Assert.Contains("3 documents: 2 ingested (2 passages), 0 unchanged, 1 failed.", _output.ToString());
        Assert.Contains("failed: 02-broken.md: The front matter is not valid YAML", _output.ToString());

        File.Delete(Path.Combine(_folder, "02-broken.md"));
        Write("03-c.md", "# C\n\nOther text.");

        Assert.Equal(0, await RunAsync(_folder));
        Assert.Equal(["01-a.md", "03-c.md"], await PathsAsync());
        Assert.Contains("2 documents: 1 ingested (1 passage), 1 unchanged, 0 failed.", _output.ToString());
    }

    [Fact]
    public async Task A_document_that_another_analyzer_indexed_is_indexed_again()
    {
        Write("a.md", "Text.");
        await RunAsync(_folder);
        await _database.ScalarAsync<int>("update documents set analyzer_version = analyzer_version - 1 returning 1");

        Assert.Equal(0, await RunAsync(_folder));
        Assert.Contains("1 document: 1 ingested (1 passage), 0 unchanged", _output.ToString()[(_output.ToString().Length / 2)..]);
    }

    [Fact]
    public async Task Pruning_removes_what_the_folder_lacks_but_not_a_page_that_is_broken_now()
    {
        Write("a.md", "Text.");
        Write("b.md", "Text.");
        Write("c.md", "Text.");
        await RunAsync(_folder);

        File.Delete(Path.Combine(_folder, "b.md"));
        Write("c.md", "---\nopen");

        Assert.Equal(1, await RunAsync(_folder));
        Assert.Equal(["a.md", "b.md", "c.md"], await PathsAsync());

        Assert.Equal(1, await RunAsync("--prune", _folder));
        Assert.Equal(["a.md", "c.md"], await PathsAsync());
    }

    [Fact]
    public async Task A_category_file_is_kept_up_to_date_beside_the_pages()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "arm"));
        Write("arm/a.md", "Text.");
        Write("arm/_category_.json", """{"label": "The arm"}""");
        Assert.Equal(0, await RunAsync(_folder));
        Assert.Contains("2 documents: 2 ingested (1 passage), 0 unchanged, 0 failed.", _output.ToString());
        Assert.Equal(["arm/_category_.json", "arm/a.md"], await PathsAsync());

        Write("arm/_category_.json", """{"label": "The right arm"}""");
        Assert.Equal(0, await RunAsync(_folder));
        Assert.Contains("2 documents: 1 ingested (0 passages), 1 unchanged, 0 failed.", _output.ToString());
        Assert.Equal(["The right arm"], (await _database.Index.GetOutlineAsync(TestContext.Current.CancellationToken)).Select(d => d.Outline.Label).OfType<string>());

        Write("arm/_category_.json", "{");
        Assert.Equal(1, await RunAsync("--prune", _folder));
        Assert.Contains("failed: arm/_category_.json: The category file is not valid (line ", _output.ToString());
        Assert.Equal(["arm/_category_.json", "arm/a.md"], await PathsAsync());

        File.Delete(Path.Combine(_folder, "arm/_category_.json"));
        Assert.Equal(0, await RunAsync("--prune", _folder));
        Assert.Equal(["arm/a.md"], await PathsAsync());
    }

    [Fact]
    public async Task Pages_that_the_site_does_not_publish_are_listed_and_left_out()
    {
        Write("a.md", "Text.");
        Write("a.summary.md", "Text.");
        Write("b.md", "---\nunlisted: true\n---\nText.");
        Write("c.md", "---\nslug: /a\n---\nText.");
        Write("d.md", "Text.");

        Assert.Equal(0, await RunAsync(_folder, "--exclude", "**/*.summary.md", "--exclude", "{c2,d}.md"));
        Assert.Equal(["a.md"], await PathsAsync());
        Assert.Contains("skipped: a.summary.md: It is excluded by **/*.summary.md.", _output.ToString());
        Assert.Contains("skipped: b.md: It is unlisted.", _output.ToString());
        Assert.Contains("skipped: c.md: Its address /docs/a is that of a.md, too.", _output.ToString());
        Assert.Equal(1, await RunAsync(_folder, "--exclude", "**/*.md"));
        Assert.Contains("The site publishes none of the pages", _output.ToString());
    }

    [Fact]
    public async Task The_built_site_decides_which_pages_there_are_and_where()
    {
        const string Words = "words that are enough for a passage of its own, because a small section is joined with the one that follows it in the page.";
        Write("a.md", $"## One\n\nThe quoll, {Words}\n\n## Two\n\nThe dunnart, {Words}");
        Write("b.md", "Text.");
        var build = Directory.CreateDirectory(Path.Combine(_folder, "_build", "docs", "a")).Parent!.Parent!.FullName;
        File.WriteAllText(
            Path.Combine(build, "docs", "a", "index.html"),
            "<html class='docs-doc-id-a'><head><link rel=canonical href='https://book.example/base/docs/a/'></head><body><div id=__docusaurus><h2 id=one>One</h2></div>");

        Assert.Equal(0, await RunAsync(_folder, "--site", build));
        Assert.Contains("skipped: b.md: The built site does not have it.", _output.ToString());
        Assert.Contains("warning: a.md: The built site has no #two; the nearest heading above it is cited.", _output.ToString());
        var found = Assert.Single(await _database.Index.SearchAsync(new("dunnart", 1), TestContext.Current.CancellationToken));
        Assert.Equal("/base/docs/a/#one", found.Url);

        using var output = new StringWriter();
        Assert.Equal(0, await PrintManifest.RunAsync([build], output, output, TestContext.Current.CancellationToken));
        var manifest = Path.Combine(build, "site.json");
        await File.WriteAllTextAsync(manifest, output.ToString(), TestContext.Current.CancellationToken);
        Assert.Equal(0, await RunAsync(_folder, "--site", manifest));
        Assert.Contains("1 document: 0 ingested (0 passages), 1 unchanged, 0 failed.", _output.ToString());
        Assert.Equal(1, await PrintManifest.RunAsync([Path.Combine(_folder, "none")], output, output, TestContext.Current.CancellationToken));
    }

    [Fact]
    public async Task Translations_are_passages_with_their_own_addresses_and_come_first_in_their_language()
    {
        var docs = Directory.CreateDirectory(Path.Combine(_folder, "docs")).FullName;
        var urdu = Directory.CreateDirectory(Path.Combine(_folder, "i18n", "ur", "docusaurus-plugin-content-docs", "current")).FullName;
        const string Code = "```python\nrclpy.spin(node)\nrclpy.shutdown()\n```";
        File.WriteAllText(Path.Combine(docs, "01-nodes.md"), $"# Nodes\n\nA node sends messages with rclpy, and this is how it waits for them in a loop.\n\n{Code}");
        File.WriteAllText(Path.Combine(urdu, "01-nodes.md"), $"# نوڈز\n\nروبوٹ کا نوڈ پیغام بھیجتا ہے اور پیغام کا انتظار کرتا ہے۔\n\n{Code}");

        Assert.Equal(0, await RunAsync(docs, "--prune"));
        Assert.Equal(["01-nodes.md", "i18n/ur/01-nodes.md"], await PathsAsync());

        Assert.Equal(["/ur/docs/nodes", "/docs/nodes"], await UrlsAsync("نوڈ rclpy spin shutdown کے ساتھ پیغام کا انتظار کیسے کرتا ہے؟"));
        Assert.Equal(["/docs/nodes", "/ur/docs/nodes"], await UrlsAsync("how do I use rclpy.spin and rclpy.shutdown?"));

        async Task<IEnumerable<string>> UrlsAsync(string question) => (await _database.Index.SearchAsync(new(question, 2), TestContext.Current.CancellationToken)).Select(p => p.Url);
    }

    [Fact]
    public async Task A_version_is_ingested_with_its_addresses()
    {
        foreach (var folder in new[] { "docs", "versioned_docs/version-2.0", "versioned_docs/version-1.0" })
            File.WriteAllText(Path.Combine(Directory.CreateDirectory(Path.Combine(_folder, folder)).FullName, "a.md"), $"The bilby of {folder.Split('-')[^1]}.");
        File.WriteAllText(Path.Combine(_folder, "versions.json"), """["2.0", "1.0"]""");
        var docs = Path.Combine(_folder, "docs");

        foreach (var (version, url) in new[] { ((string?)null, "/docs/next/a"), ("2.0", "/docs/a"), ("1.0", "/docs/1.0/a") })
        {
            Assert.Equal(0, await RunAsync(version is null ? [docs] : [docs, "--version", version]));
            Assert.Equal(url, Assert.Single(await _database.Index.SearchAsync(new("bilby", 2), TestContext.Current.CancellationToken)).Url);
        }

        Assert.Equal(1, await RunAsync(docs, "--version", "3.0"));
        Assert.Contains("There is no version 3.0", _output.ToString());
    }

    [Fact]
    public async Task A_missing_or_empty_folder_or_a_wrong_option_changes_nothing_and_exits_with_1()
    {
        Write("a.md", "Text.");
        await RunAsync(_folder);
        File.Delete(Path.Combine(_folder, "a.md"));

        Assert.Equal(1, await RunAsync(_folder, "--prune"));
        Assert.Equal(1, await RunAsync(Path.Combine(_folder, "none"), "--prune"));
        Assert.Equal(1, await RunAsync());
        Assert.Equal(1, await RunAsync(_folder, "--force"));
        Assert.Equal(["a.md"], await PathsAsync());
        Assert.Contains("There is no folder", _output.ToString());
        Assert.Contains("Usage:", _output.ToString());
    }

    [Fact]
    public async Task Files_that_are_not_pages_are_listed_and_the_pages_are_ingested()
    {
        Write("a.md", "Text.");
        File.CreateSymbolicLink(Path.Combine(_folder, "loop.md"), Path.Combine(_folder, "loop.md"));

        Assert.Equal(0, await RunAsync(_folder));
        Assert.Equal(["a.md"], await PathsAsync());
        Assert.Contains("skipped: loop.md: The link leads in a circle.", _output.ToString());
    }

    [Fact]
    public async Task A_database_failure_is_one_line_and_exit_code_1()
    {
        Write("a.md", "Text.");
        await _database.ScalarAsync<int>("alter table passages rename to elsewhere; select 1");

        Assert.Equal(1, await RunAsync(_folder));
        Assert.Contains("The ingest failed: The database refused the operation.", _output.ToString());
        Assert.DoesNotContain("   at ", _output.ToString());
    }

    [Fact]
    public async Task An_unavailable_index_is_one_line_and_exit_code_1()
    {
        await using var qdrant = new SearchQdrant();
        await qdrant.InitializeAsync();
        qdrant.Stub.Next("", StubFault.Error(503), int.MaxValue);
        Write("a.md", "Text.");

        Assert.Equal(1, await RunAsync(qdrant.Index, _folder));
        Assert.Contains("The book's search index cannot be reached at the moment.", _output.ToString());

        qdrant.Stub.Heal();
        Assert.Equal(0, await RunAsync(qdrant.Index, _folder));
    }

    private Task<int> RunAsync(params string[] args) => RunAsync(_database.Index, args);

    private async Task<int> RunAsync(IPassageIndex index, params string[] args)
    {
        await using var services = new ServiceCollection().AddOptions().AddLogging().AddSingleton(index).AddSingleton((IPassageVectors)index).AddSingleton(_database.Connections).AddSingleton(TimeProvider.System)
            .AddSingleton<MarkdownChunker>().AddSingleton<BookIngest>().AddSingleton<JobRunner>().AddSingleton<JobStatus>()
            .Configure<PatienceOptions>(options => options.Seconds = 0)
            .BuildServiceProvider();
        var console = AnsiConsole.Create(new() { Ansi = AnsiSupport.No, Interactive = InteractionSupport.No, Out = new AnsiConsoleOutput(_output) });
        console.Profile.Width = 400;

        return await IngestFolder.RunAsync(services, args, console, TestContext.Current.CancellationToken);
    }

    private async Task<IEnumerable<string>> PathsAsync() =>
        (await _database.Index.GetDocumentsAsync(TestContext.Current.CancellationToken)).Keys.Order(StringComparer.Ordinal);

    private void Write(string path, string text) => File.WriteAllText(Path.Combine(_folder, path), text);
}
