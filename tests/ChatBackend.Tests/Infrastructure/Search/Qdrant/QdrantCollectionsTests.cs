using System.Net.Http.Json;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Qdrant;

namespace ChatBackend.Tests.Infrastructure.Search.Qdrant;

/// <summary>A book that is embedded with another model while readers ask.</summary>
public sealed class QdrantCollectionsTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly SearchQdrant _qdrant = new();

    public async ValueTask InitializeAsync()
    {
        await _qdrant.InitializeAsync();
        await IngestAsync(_qdrant.Another(Old), "a.md", "b.md");
    }

    public ValueTask DisposeAsync() => _qdrant.DisposeAsync();

    private static Model Old => new("old-model", 8);

    [Theory]
    [InlineData(8)]
    [InlineData(12)]
    public async Task Another_model_fills_a_collection_of_its_own_which_answers_when_it_is_whole(int dimensions)
    {
        var (reader, author) = (_qdrant.Another(Old), _qdrant.Another(new Model("new-model", dimensions)));
        Assert.Equal(["textbook-1"], _qdrant.Stub.Collections);
        Assert.Equal(["", ""], (await author.GetDocumentsAsync(None)).Values);

        await IngestAsync(author, "a.md");
        Assert.Equal(["textbook-1", "textbook-2"], _qdrant.Stub.Collections);
        Assert.NotNull((await SearchAsync(reader)).Similarity);
        // The author's process has the new model, and the old one's vectors are not for its questions.
        Assert.Null((await SearchAsync(author)).Similarity);

        // A process that begins again embeds only what is missing.
        var again = _qdrant.Another(new Model("new-model", dimensions));
        Assert.Equal(["", "a.md"], (await again.GetDocumentsAsync(None)).Values.Order());
        await IngestAsync(again, "b.md");
        Assert.Equal(["textbook-2"], _qdrant.Stub.Collections);
        Assert.NotNull((await SearchAsync(again)).Similarity);
        Assert.Null((await SearchAsync(reader)).Similarity);
        Assert.Equal(2, (await _qdrant.Another().GetDocumentsAsync(None)).Count);
    }

    [Fact]
    public async Task A_page_that_is_gone_does_not_keep_the_old_collection()
    {
        var author = _qdrant.Another(new Model("new-model", 8));
        await IngestAsync(author, "a.md");
        Assert.Equal(2, (await author.GetDocumentsAsync(None)).Count);

        await author.RemoveAsync(["b.md"], None);
        await author.MeasureSimilarityAsync(None);

        Assert.Equal(["textbook-2"], _qdrant.Stub.Collections);
        Assert.Equal(["a.md"], (await author.GetDocumentsAsync(None)).Keys);
    }

    [Fact]
    public async Task A_page_that_was_ingested_without_the_model_gets_its_vectors_from_the_next_ingest()
    {
        await IngestAsync(_qdrant.Index, "c.md");

        Assert.Equal("c.md", (await _qdrant.Another().GetDocumentsAsync(None))["c.md"]);
        Assert.Equal(["c.md"], await _qdrant.Another(Old).ListUnembeddedAsync(None));

        await IngestAsync(_qdrant.Another(Old), "c.md");

        Assert.Empty(await _qdrant.Another(Old).ListUnembeddedAsync(None));
        Assert.Empty(await _qdrant.Another().ListUnembeddedAsync(None));
    }

    [Fact]
    public async Task What_a_third_model_left_unfinished_is_thrown_away()
    {
        await IngestAsync(_qdrant.Another(new Model("third-model", 4)), "a.md");

        await IngestAsync(_qdrant.Another(new Model("new-model", 12)), "a.md", "b.md");

        Assert.Equal(["textbook-2"], _qdrant.Stub.Collections);
        Assert.NotNull((await SearchAsync(_qdrant.Another(new Model("new-model", 12)))).Similarity);
    }

    [Fact]
    public async Task The_first_ingest_completes_what_a_killed_one_left()
    {
        _qdrant.Stub.Drop(SearchQdrant.Collection);
        _qdrant.Stub.When(r => r.Collection == "aliases", StubFault.Error(500), int.MaxValue);
        await Assert.ThrowsAsync<SearchException>(() => IngestAsync(_qdrant.Another(Old), "a.md"));
        _qdrant.Stub.Heal();

        await IngestAsync(_qdrant.Another(new Model("new-model", 12)), "a.md");

        Assert.Equal(["textbook-1"], _qdrant.Stub.Collections);
        Assert.NotNull((await SearchAsync(_qdrant.Another(new Model("new-model", 12)))).Similarity);
    }

    [Fact]
    public async Task The_old_collection_of_a_process_that_died_after_the_alias_moved_is_deleted_by_the_next_ingest_and_no_other()
    {
        using var http = new HttpClient { BaseAddress = new(_qdrant.Stub.Url), DefaultRequestHeaders = { { "api-key", StubQdrant.Key } } };
        foreach (var other in new[] { "textbook-7", "textbook-notes", "book-1" })
            (await http.PutAsJsonAsync($"/collections/{other}", new { vectors = new { size = 4, distance = "Cosine" } })).EnsureSuccessStatusCode();
        _qdrant.Stub.When(r => r.Method == "DELETE", StubFault.Error(500), int.MaxValue);
        await Assert.ThrowsAsync<SearchException>(() => IngestAsync(_qdrant.Another(new Model("new-model", 8)), "a.md", "b.md"));
        Assert.Contains("textbook-1", _qdrant.Stub.Collections);
        Assert.Contains("textbook-2", _qdrant.Stub.Collections);
        _qdrant.Stub.Heal();

        await IngestAsync(_qdrant.Another(new Model("new-model", 8)), "a.md");

        Assert.Equal(["book-1", "textbook-2", "textbook-7", "textbook-notes"], _qdrant.Stub.Collections);
    }

    [Fact]
    public async Task A_model_that_was_given_up_leaves_no_collection()
    {
        await IngestAsync(_qdrant.Another(new Model("new-model", 8)), "a.md");
        Assert.Equal(["textbook-1", "textbook-2"], _qdrant.Stub.Collections);

        await IngestAsync(_qdrant.Another(Old), "a.md");

        Assert.Equal(["textbook-1"], _qdrant.Stub.Collections);
    }

    [Fact]
    public async Task Readers_never_see_an_error_or_a_mix_while_the_alias_moves()
    {
        await IngestAsync(_qdrant.Another(Old), "set0 a.md", "set0 b.md");
        using var ended = new CancellationTokenSource();
        var readers = new[] { _qdrant.Another(Old), _qdrant.Another(Old), _qdrant.Another(), _qdrant.Another(NewModel(2)) }.Select(ReadAsync).ToArray();

        // Some models have vectors of the same size as the one before.
        for (var set = 1; set <= 12; set++)
        {
            await IngestAsync(_qdrant.Another(NewModel(set)), $"set{set} a.md", $"set{set} b.md");
            Assert.Equal([$"textbook-{set + 1}"], _qdrant.Stub.Collections);
            if (Array.Find(readers, r => r.IsCompleted) is { } failed)
                await failed;
        }

        await ended.CancelAsync();
        var seen = await Task.WhenAll(readers);
        Assert.True(seen.Max(sets => sets.Count) > 2, "no reader saw the alias move");

        static Model NewModel(int set) => new($"model-{set}", set % 4 < 2 ? 8 : 12, step: 2 + (set % 2));

        async Task<HashSet<string>> ReadAsync(QdrantPassageIndex reader)
        {
            var sets = new HashSet<string>();
            while (!ended.IsCancellationRequested)
            {
                var found = await reader.SearchAsync(new("gripper"), None);
                Assert.Equal(["/docs/a.md", "/docs/b.md"], found.Select(p => p.Url).Order());
                sets.Add(Assert.Single(found.Select(p => p.Text.Split(' ')[3]).Distinct()));
                // A model's own vectors are all the same here; another model's are less near.
                Assert.True(found.All(p => p.Similarity is null) || found.All(p => p.Similarity > 0.99), string.Join(' ', found.Select(p => p.Similarity)));
            }

            return sets;
        }
    }

    /// <param name="pages">Paths; a word before one is in the page's text.</param>
    private static async Task IngestAsync(QdrantPassageIndex index, params string[] pages)
    {
        foreach (var page in pages)
        {
            var path = page.Split(' ')[^1];
            await index.ReplaceAsync(new(path, "Title", "/docs/" + path, page, [new(0, [], null, $"The gripper of {page} closes around the cup.")]), None);
        }

        await index.MeasureSimilarityAsync(None);
    }

    private static async Task<Passage> SearchAsync(QdrantPassageIndex index) => (await index.SearchAsync(new("gripper"), None))[0];

    /// <param name="step">Each such number of the vectors is 1, the others are 0.</param>
    private sealed class Model(string name, int dimensions, int step = 1) : IEmbedder
    {
        string IEmbedder.Model => name;

        public int? KnownDimensions => dimensions;

        public Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<ReadOnlyMemory<float>>>([.. texts.Select(_ => new ReadOnlyMemory<float>([.. Enumerable.Range(0, dimensions).Select(i => i % step == 0 ? 1f : 0)]))]);
    }
}
