using ChatBackend.Infrastructure.Search.Qdrant;
using ChatBackend.Tests.Infrastructure.Search.Meaning;

namespace ChatBackend.Tests.Infrastructure.Search.Qdrant;

/// <summary>Where unrelated questions lie in a book, with an embedder whose cosines are known.</summary>
public sealed class QdrantThresholdTests : IAsyncLifetime
{
    private static readonly CancellationToken None = CancellationToken.None;

    private readonly SearchQdrant _qdrant = new();
    private readonly KnownCosines _embedder = new();

    public ValueTask InitializeAsync() => _qdrant.InitializeAsync();

    public ValueTask DisposeAsync() => _qdrant.DisposeAsync();

    [Fact]
    public async Task Nearness_is_relative_to_the_unrelated_questions()
    {
        var index = _qdrant.Another(_embedder);
        await PutAsync(index, "a.md");
        Assert.Equal((0.6, null), await FindAsync(index, "gripper 0.6"));

        await index.MeasureSimilarityAsync(None);

        // The unrelated questions have 0.01 to 0.40, whose quantile 0.975 is 0.39025.
        Assert.Equal((0.6, 0.20975), await FindAsync(index, "gripper 0.6"));
        Assert.Equal((0.3, -0.09025), await FindAsync(index, "gripper 0.3"));
        // Another process finds it too.
        Assert.Equal((0.6, 0.20975), await FindAsync(_qdrant.Another(_embedder), "gripper 0.6"));
    }

    [Fact]
    public async Task A_passage_without_a_shared_word_is_found_only_if_it_is_near()
    {
        var index = _qdrant.Another(_embedder);
        await PutAsync(index, "a.md");

        // Before it was measured, nearness has no say.
        Assert.Single(await index.SearchAsync(new("xylophone 0.3"), None));
        await index.MeasureSimilarityAsync(None);

        Assert.Empty(await index.SearchAsync(new("xylophone 0.3"), None));
        Assert.Single(await index.SearchAsync(new("xylophone 0.5"), None));
    }

    [Fact]
    public async Task It_is_measured_again_when_a_document_changes_and_not_before()
    {
        var index = _qdrant.Another(_embedder);
        await PutAsync(index, "a.md");
        await index.MeasureSimilarityAsync(None);
        Assert.Equal(1 + 40, _embedder.Texts);

        await index.MeasureSimilarityAsync(None);
        await _qdrant.Another(_embedder).MeasureSimilarityAsync(None);
        Assert.Equal(1 + 40, _embedder.Texts);

        await PutAsync(index, "b.md");
        await index.MeasureSimilarityAsync(None);
        Assert.Equal(2 + 80, _embedder.Texts);
        await index.RemoveAsync(["b.md"], None);
        await index.MeasureSimilarityAsync(None);
        Assert.Equal(2 + 120, _embedder.Texts);
    }

    [Fact]
    public async Task The_value_of_another_model_does_not_count()
    {
        await PutAsync(_qdrant.Another(_embedder), "a.md");
        await _qdrant.Another(_embedder).MeasureSimilarityAsync(None);
        var other = _qdrant.Another(new KnownCosines { Model = "another-model" });

        Assert.Equal((null, null), await FindAsync(other, "gripper 0.6"));
        await PutAsync(other, "a.md");
        await other.MeasureSimilarityAsync(None);
        Assert.Equal((0.6, 0.20975), await FindAsync(other, "gripper 0.6"));
    }

    [Fact]
    public async Task A_model_that_fails_here_fails_nothing_and_the_next_time_repeats_it()
    {
        var index = _qdrant.Another(_embedder);
        await PutAsync(index, "a.md");
        _embedder.IsBroken = true;
        await index.MeasureSimilarityAsync(None);
        _embedder.IsBroken = false;
        Assert.Equal((0.6, null), await FindAsync(index, "gripper 0.6"));

        await index.MeasureSimilarityAsync(None);

        Assert.Equal((0.6, 0.20975), await FindAsync(index, "gripper 0.6"));
    }

    [Fact]
    public async Task Without_a_book_or_without_an_embedder_nothing_is_measured()
    {
        await _qdrant.Another(_embedder).MeasureSimilarityAsync(None);
        Assert.Equal(0, _embedder.Texts);

        await PutAsync(_qdrant.Index, "a.md");
        await _qdrant.Index.MeasureSimilarityAsync(None);
        Assert.Empty(_qdrant.Stub.Payloads(SearchQdrant.Collection, QdrantFields.Threshold));
    }

    private static Task PutAsync(QdrantPassageIndex index, string path) =>
        index.ReplaceAsync(new(path, "Title", "/docs/" + path, path, [new(0, [], null, $"The gripper of {path} closes around the cup.")]), None);

    private static async Task<(double? Similarity, double? Nearness)> FindAsync(QdrantPassageIndex index, string question)
    {
        var found = (await index.SearchAsync(new(question), None))[0];
        return (Round(found.Similarity), Round(found.Nearness));

        static double? Round(double? value) => value is { } number ? Math.Round(number, 5) : null;
    }
}
