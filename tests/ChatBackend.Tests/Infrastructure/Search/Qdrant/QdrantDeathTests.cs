using System.Text.Json.Nodes;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Qdrant;

namespace ChatBackend.Tests.Infrastructure.Search.Qdrant;

/// <summary>An ingest that dies at each of its requests to Qdrant in turn, and the next ingest.</summary>
public sealed class QdrantDeathTests
{
    private static readonly CancellationToken None = CancellationToken.None;

    /// <param name="died">Whether the last request was not done, done for one point, or done without an answer.</param>
    [Theory]
    [InlineData("first", "before")]
    [InlineData("first", "half")]
    [InlineData("first", "after")]
    [InlineData("edit", "before")]
    [InlineData("edit", "half")]
    [InlineData("edit", "after")]
    [InlineData("another model", "before")]
    [InlineData("another model", "half")]
    [InlineData("another model", "after")]
    public async Task What_a_process_leaves_that_dies_at_any_request_is_healed_by_the_next_ingest(string ingest, string died)
    {
        var expected = await ContentsAsync(ingest, died, dyingAt: int.MaxValue);
        Assert.True(expected.IsWhole);
        var deaths = 0;
        for (var isWhole = false; !isWhole; deaths++)
        {
            (isWhole, var contents) = await ContentsAsync(ingest, died, dyingAt: deaths + 1);
            Assert.Equal(expected.Contents, contents);
        }

        Assert.True(deaths > 20, $"{deaths} requests");
    }

    /// <returns>Whether the first process did not die, and what the index holds after the second.</returns>
    private static async Task<(bool IsWhole, string[] Contents)> ContentsAsync(string ingest, string died, int dyingAt)
    {
        await using var qdrant = new SearchQdrant();
        await qdrant.InitializeAsync();
        var (old, model) = (new Model("old-model"), new Model(ingest == "another model" ? "new-model" : "old-model"));
        if (ingest != "first")
            await IngestAsync(qdrant.Another(old), "before");

        var requests = 0;
        // The client does not try again after 429.
        qdrant.Stub.When(
            _ => ++requests == dyingAt, died == "before" ? StubFault.Error(429) : new() { DiesAfter = died == "half" ? 1 : int.MaxValue - 1 }, times: int.MaxValue);
        qdrant.Stub.When(_ => requests > dyingAt, StubFault.Error(429), int.MaxValue);
        var isWhole = false;
        try
        {
            await IngestAsync(qdrant.Another(model), "after");
            isWhole = true;
        }
        catch (SearchException)
        {
            // It is dead.
        }

        qdrant.Stub.Heal();
        foreach (var page in (await qdrant.Another(old).SearchAsync(new("gripper", 20), None)).GroupBy(p => p.DocumentPath))
            Assert.True(page.Count() == 3 && page.Select(p => p.Text.Split(' ')[0]).Distinct().Count() == 1, $"Death {dyingAt}: {string.Join('|', page.Select(p => p.Text))}");
        if (ingest != "first")
            Assert.Equal(2, (await qdrant.Another(old).SearchAsync(new("gripper", 20), None)).Select(p => p.DocumentPath).Distinct().Count());

        await IngestAsync(qdrant.Another(model), "after");
        Assert.Single(qdrant.Stub.Collections);
        Assert.Equal(6, (await qdrant.Another(model).SearchAsync(new("gripper", 20), None)).Count(p => p.Similarity is not null && p.Text.StartsWith("after")));
        return (isWhole, [
            .. new[] { "document", "passage", "threshold" }.SelectMany(kind => qdrant.Stub.Payloads(SearchQdrant.Collection, kind)).Select(Lasting).Order(StringComparer.Ordinal),
            .. qdrant.Stub.Ids(SearchQdrant.Collection).Select(id => id.ToString()),
        ]);
    }

    /// <summary>As a job does it: what the index has is not written again.</summary>
    private static async Task IngestAsync(QdrantPassageIndex index, string text)
    {
        var indexed = await index.GetDocumentsAsync(None);
        foreach (var path in new[] { "a.md", "b.md" }.Where(path => indexed.GetValueOrDefault(path) != text))
            await index.ReplaceAsync(
                new(path, "Title", "/docs/" + path, text, [.. Enumerable.Range(0, 3).Select(i => new Chunk(i, [], null, $"{text} the gripper {path} {i} closes."))]), None);
        await index.MeasureSimilarityAsync(None);
    }

    /// <summary>What does not depend on the time.</summary>
    private static string Lasting(JsonObject payload)
    {
        var copy = payload.DeepClone().AsObject();
        copy.Remove("revision");
        copy.Remove("ingested_at");
        return copy.ToJsonString();
    }

    private sealed class Model(string name) : IEmbedder
    {
        string IEmbedder.Model => name;

        public int? KnownDimensions => 4;

        public Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken) =>
            Task.FromResult<IReadOnlyList<ReadOnlyMemory<float>>>([.. texts.Select(t => new ReadOnlyMemory<float>([1, t.Length % 7, t.Contains("gripper") ? 9 : 1, 1]))]);
    }
}
