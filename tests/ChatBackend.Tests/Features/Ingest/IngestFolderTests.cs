using ChatBackend.Features.Ingest;
using ChatBackend.Infrastructure.Search;
using Microsoft.Extensions.DependencyInjection;
using Spectre.Console;

namespace ChatBackend.Tests.Features.Ingest;

public sealed class IngestFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("book").FullName;
    private readonly ListIndex _index = new();
    private readonly StringWriter _output = new();

    public void Dispose()
    {
        Directory.Delete(_folder, recursive: true);
        _output.Dispose();
    }

    [Fact]
    public async Task A_book_is_ingested_once_and_a_broken_page_does_not_stop_the_others()
    {
        Write("01-a.md", "# A\n\nText.");
        Write("02-broken.md", "---\ntitle: a: b\n---\nText.");
        Write("03-c.md", "# C\n\n## One\n\nText.");
        Write("04-draft.md", "---\ndraft: true\n---\nText.");

        Assert.Equal(1, await RunAsync(_folder));
        Assert.Equal(["01-a.md", "03-c.md"], _index.Replaced);
        Assert.Contains("3 documents: 2 ingested (2 passages), 0 unchanged, 1 failed.", _output.ToString());
        Assert.Contains("failed: 02-broken.md: The front matter is not valid YAML", _output.ToString());

        File.Delete(Path.Combine(_folder, "02-broken.md"));
        Write("03-c.md", "# C\n\nOther text.");

        Assert.Equal(0, await RunAsync(_folder));
        Assert.Equal(["01-a.md", "03-c.md", "03-c.md"], _index.Replaced);
        Assert.Contains("2 documents: 1 ingested (1 passages), 1 unchanged, 0 failed.", _output.ToString());
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
        Assert.Equal(["a.md", "b.md", "c.md"], _index.Paths);

        Assert.Equal(1, await RunAsync("--prune", _folder));
        Assert.Equal(["a.md", "c.md"], _index.Paths);
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
        Assert.Equal(["a.md"], _index.Paths);
        Assert.Contains("There is no folder", _output.ToString());
        Assert.Contains("Usage:", _output.ToString());
    }

    private async Task<int> RunAsync(params string[] args)
    {
        await using var services = new ServiceCollection().AddOptions().AddSingleton<IPassageIndex>(_index).AddIngest().BuildServiceProvider();
        var console = AnsiConsole.Create(new() { Ansi = AnsiSupport.No, Interactive = InteractionSupport.No, Out = new AnsiConsoleOutput(_output) });
        console.Profile.Width = 400;

        return await IngestFolder.RunAsync(services, args, console, TestContext.Current.CancellationToken);
    }

    private void Write(string path, string text) => File.WriteAllText(Path.Combine(_folder, path), text);

    /// <summary>Holds documents in memory: what is tested is what the ingest asks of an index.</summary>
    private sealed class ListIndex : IPassageIndex
    {
        private readonly SortedDictionary<string, IndexedDocument> _documents = new(StringComparer.Ordinal);

        public List<string> Replaced { get; } = [];

        public IEnumerable<string> Paths => _documents.Keys;

        public Task ReplaceAsync(IndexedDocument document, CancellationToken cancellationToken)
        {
            Replaced.Add(document.Path);
            _documents[document.Path] = document;

            return Task.CompletedTask;
        }

        public Task RemoveAsync(IReadOnlyCollection<string> paths, CancellationToken cancellationToken)
        {
            foreach (var path in paths)
                _documents.Remove(path);

            return Task.CompletedTask;
        }

        public Task<IReadOnlyDictionary<string, string>> GetDocumentsAsync(CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyDictionary<string, string>>(_documents.ToDictionary(document => document.Key, document => document.Value.ContentHash));

        public Task<IReadOnlyList<Passage>> SearchAsync(PassageQuery query, CancellationToken cancellationToken) => throw new NotSupportedException();

        public Task<IReadOnlyList<Passage>> GetAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken) => throw new NotSupportedException();
    }
}
