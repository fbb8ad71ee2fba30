using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Postgres;
using ChatBackend.Tests.Infrastructure.Search.Meaning;
using Microsoft.Extensions.Logging.Abstractions;
using Npgsql;

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

    [Fact]
    public async Task A_vector_that_another_process_takes_up_while_unused_ones_are_deleted_stays()
    {
        await PutAsync(_index, "a.md", "A walrus swims.");
        await PutAsync(_index, "a.md", "The gripper closes.");
        // A writer waits in its last statement, after it has written its vectors.
        await using var holder = await _database.Connections.OpenConnectionAsync(None);
        await using var holding = await holder.BeginTransactionAsync(None);
        await new NpgsqlCommand("select from index_version for update", holder).ExecuteNonQueryAsync(None);
        var taking = PutAsync(_database.Another(_embedder), "b.md", "A walrus swims.");
        await WaitingAsync(1);

        var deleting = _index.MeasureSimilarityAsync(None);
        await WaitingAsync(2);
        await holding.RollbackAsync(None);
        await Task.WhenAll(taking, deleting);

        Assert.True(Assert.Single(await _index.FindAsync([KeyOf(_embedder, "A walrus swims.")], withVectors: false, None)).IsEmbedded);

        Task WaitingAsync(int statements) => Until.TrueAsync(
            async () => await _database.ScalarAsync<long>("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") == statements,
            $"There are not {statements} statements that wait.");
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

    [Fact]
    public async Task Other_processes_follow_when_a_gap_is_filled_and_when_the_model_changes()
    {
        await PutAsync(_database.Index, "a.md", "The gripper closes.");
        var (reader, changed) = (_database.Another(_embedder), _database.Another(new MeaningOfWords { Model = "another-model" }));
        Assert.Null((await reader.SearchAsync(new("gripper"), None))[0].Similarity);

        await PutAsync(_index, "a.md", "The gripper closes.");
        Assert.Equal(1, (await reader.SearchAsync(new("gripper"), None))[0].Similarity!.Value, 5);
        Assert.Null((await changed.SearchAsync(new("gripper"), None))[0].Similarity);

        await PutAsync(changed, "a.md", "The gripper closes.");
        await reader.SearchAsync(new("gripper"), None);
        Assert.Null((await reader.SearchAsync(new("gripper"), None))[0].Similarity);
        Assert.False(_database.Index.Book.Index.HasVectors);
    }

    [Fact]
    public async Task No_connection_is_held_while_the_model_embeds_a_question()
    {
        await PutAsync(_index, "a.md", "The gripper closes.");
        await using var one = NpgsqlDataSource.Create($"{_database.ConnectionString};Maximum Pool Size=1;Timeout=30");
        var embedder = new WaitingForDatabase(_embedder, one);
        var index = new PostgresPassageIndex(one, new(one, embedder, "en", NullLogger<PostgresVectors>.Instance));

        Assert.Equal(1, (await index.SearchAsync(new("gripper"), None))[0].Similarity!.Value, 5);
        Assert.Equal(1, embedder.Answers);
    }

    /// <summary>Uses the database before it answers.</summary>
    private sealed class WaitingForDatabase(IEmbedder inner, NpgsqlDataSource database) : IEmbedder
    {
        public string Model => inner.Model;

        public int Answers { get; private set; }

        public async Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken)
        {
            await using var command = database.CreateCommand("select 1");
            Answers += (int)(await command.ExecuteScalarAsync(cancellationToken))!;
            return await inner.EmbedAsync(texts, cancellationToken);
        }
    }

    private static Guid KeyOf(MeaningOfWords embedder, string text) =>
        new Passage { Id = default, DocumentPath = "", Position = 0, Title = "Title", HeadingPath = ["Title"], Url = "", Text = text }.ContentKey(embedder.Model);

    private static Task PutAsync(PostgresPassageIndex index, string path, params string[] texts) => index.ReplaceAsync(
        new(path, "Title", "/docs/" + path.Replace(".md", ""), string.Join('|', texts), [.. texts.Select((t, i) => new Chunk(i, [], null, t))]), None);
}
