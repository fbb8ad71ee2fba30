using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Postgres;
using ChatBackend.Tests.Infrastructure.Search.Meaning;

namespace ChatBackend.Tests.Infrastructure.Search.Postgres;

/// <summary>Which vectors PostgreSQL keeps, and for which passages. Each test has its own database.</summary>
public sealed class PostgresVectorsTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly SearchDatabase _database = new();
    private readonly MeaningOfWords _embedder = new();

    private PostgresPassageIndex _index = null!;

    public async ValueTask InitializeAsync()
    {
        await _database.InitializeAsync();
        _index = _database.Another(_embedder);
    }

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task A_passage_that_an_edit_moves_to_another_document_keeps_its_vector()
    {
        await PutAsync(_index, "a.md", "The gripper closes.", "A walrus swims.");
        await PutAsync(_index, "a.md", "The gripper closes.");

        var moved = Assert.Single(await _index.FindAsync([KeyOf(_embedder, "A walrus swims.")], withVectors: true, None));
        Assert.Equal("", moved.Path);
        Assert.Equal([1, 0, 0, 0, 0, 0, 0, 0], moved.Vector!.Value.ToArray());

        await PutAsync(_index, "b.md", "A walrus swims.");
        await _index.MeasureSimilarityAsync(None);

        Assert.Equal("b.md", Assert.Single(await _index.FindAsync([KeyOf(_embedder, "A walrus swims.")], withVectors: true, None)).Path);
        Assert.Equal(2, await _database.ScalarAsync<long>("select count(*) from passage_vectors"));
    }

    [Fact]
    public async Task Vectors_that_no_passage_has_any_more_are_deleted_after_an_ingest()
    {
        await PutAsync(_index, "a.md", "The gripper closes.", "A walrus swims.");
        await PutAsync(_index, "a.md", "The gripper closes.");
        await _index.MeasureSimilarityAsync(None);

        Assert.Equal([KeyOf(_embedder, "The gripper closes.")], (await _database.ScalarAsync<Guid[]>("select array_agg(content_key) from passage_vectors"))!);
    }

    [Theory]
    [InlineData("another-model", 8)]
    [InlineData("text-embedding-3-small", 4)]
    public async Task The_vectors_of_another_model_or_of_other_dimensions_count_for_nothing(string model, int dimensions)
    {
        await PutAsync(_index, "a.md", "The gripper closes.");
        var other = new MeaningOfWords { Model = model, Dimensions = dimensions };
        var others = _database.Another(other);

        Assert.Empty(await _index.ListUnembeddedAsync(None));
        Assert.Equal(["a.md"], await others.ListUnembeddedAsync(None));
        Assert.DoesNotContain(await others.FindAsync([KeyOf(other, "The gripper closes.")], withVectors: true, None), p => p.IsEmbedded || p.Vector is not null);

        await PutAsync(others, "a.md", "The gripper closes.");

        Assert.Empty(await others.ListUnembeddedAsync(None));
        Assert.Equal(dimensions, Assert.Single(await others.FindAsync([KeyOf(other, "The gripper closes.")], withVectors: true, None)).Vector!.Value.Length);
    }

    [Fact]
    public async Task A_process_without_an_embedder_keeps_the_vectors_of_unchanged_documents_and_reads_none()
    {
        await PutAsync(_index, "a.md", "The gripper closes.");
        await PutAsync(_database.Index, "a.md", "The gripper closes.");

        Assert.Empty(await _index.ListUnembeddedAsync(None));
        Assert.Empty(await _database.Index.ListUnembeddedAsync(None));

        await PutAsync(_database.Index, "b.md", "A walrus swims.");
        await _database.Index.MeasureSimilarityAsync(None);
        Assert.Equal(["b.md"], await _index.ListUnembeddedAsync(None));
        Assert.Equal(1, await _database.ScalarAsync<long>("select count(*) from passage_vectors"));
    }

    private static Guid KeyOf(MeaningOfWords embedder, string text) =>
        new Passage { Id = default, DocumentPath = "", Position = 0, Title = "Title", HeadingPath = ["Title"], Url = "", Text = text }.ContentKey(embedder.Model);

    private static Task PutAsync(PostgresPassageIndex index, string path, params string[] texts) => index.ReplaceAsync(
        new(path, "Title", "/docs/" + path.Replace(".md", ""), string.Join('|', texts), [.. texts.Select((t, i) => new Chunk(i, [], null, t))]), None);
}
