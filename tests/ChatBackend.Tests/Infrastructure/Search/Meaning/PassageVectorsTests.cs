using System.Diagnostics;
using ChatBackend.Infrastructure.Search.Meaning;

namespace ChatBackend.Tests.Infrastructure.Search.Meaning;

public sealed class PassageVectorsTests(ITestOutputHelper output)
{
    private readonly Random _random = new(15);

    [Theory]
    [InlineData(384)]
    [InlineData(1536)]
    // No multiple of what a processor takes at a time.
    [InlineData(7)]
    [InlineData(1031)]
    public void The_nearest_passages_are_those_of_an_exact_comparison(int dimensions)
    {
        // Vectors of one book resemble each other: a common direction and a difference.
        var common = Vector(dimensions);
        var passages = Enumerable.Range(0, 2_000).Select(_ => Add(Vector(dimensions), common, 0.7f)).ToArray();
        var question = Add(Vector(dimensions), common, 0.7f);
        var exact = passages.Select((p, i) => (Ordinal: i, Similarity: Cosine(p, question))).OrderByDescending(p => p.Similarity).Take(50).ToArray();

        var found = PassageVectors.Nearest(Documents(passages), question, 50);

        Assert.InRange(found.Select(f => f.Ordinal).Intersect(exact.Select(e => e.Ordinal)).Count(), 48, 50);
        Assert.Equal(exact[0].Ordinal, found[0].Ordinal);
        Assert.Equal(found.OrderByDescending(f => f.Similarity), found);
        Assert.All(found, f => Assert.Equal(Cosine(passages[f.Ordinal], question), f.Similarity, 0.005));
    }

    [Fact]
    public void Passages_without_a_vector_or_with_one_of_other_dimensions_are_not_compared()
    {
        var (one, zero) = (StoredVector.Of([0, 3, 4]), StoredVector.Of([0, 0, 0]));
        var vectors = PassageVectors.Of([null, one, StoredVector.Of([1, 1]), zero])!;

        Assert.Equal([(101, 0.8)], PassageVectors.Nearest([(100, vectors)], new float[] { 0, 0, 9 }, 5).Select(n => (n.Ordinal, Math.Round(n.Similarity, 2))));
        Assert.Empty(PassageVectors.Nearest([(100, vectors)], new float[] { 0, 9 }, 5));
        Assert.Null(PassageVectors.Of([null, null]));
        Assert.Null(PassageVectors.Of([]));
    }

    [Fact]
    public void A_vector_is_stored_in_half_precision_and_with_the_length_1()
    {
        Assert.Equal([0.6f, -0.8f], StoredVector.Read(StoredVector.Of([3e30f, -4e30f])), (a, b) => MathF.Abs(a - b) < 0.0005f);
        Assert.Equal([0, 0], StoredVector.Read(StoredVector.Of([0, 0])));
        Assert.Equal(2 * 1536, StoredVector.Of(new float[1536]).Length);
    }

    /// <summary>Prints how long a comparison takes, and does not fail on a slow machine.</summary>
    [Fact]
    public void Ten_thousand_passages_of_1536_dimensions_fit_in_35_MB()
    {
        var passages = Enumerable.Range(0, 100).Select(_ => StoredVector.Of(Vector(1536))).ToArray();
        // Of this thread alone: other tests run at the same time.
        var before = GC.GetAllocatedBytesForCurrentThread();
        var documents = Enumerable.Range(0, 100).Select(i => (100 * i, PassageVectors.Of(passages)!)).ToArray();
        var bytes = GC.GetAllocatedBytesForCurrentThread() - before;
        var question = Vector(1536);

        var times = Enumerable.Range(0, 60).Select(_ =>
        {
            var started = Stopwatch.GetTimestamp();
            Assert.Equal(50, PassageVectors.Nearest(documents, question, 50).Count);
            return Stopwatch.GetElapsedTime(started).TotalMilliseconds;
        }).Order().ToArray();

        output.WriteLine($"{bytes / 1e6:F1} MB; {times[0]:F2} ms at best, {times[30]:F2} ms (p50)");
        Assert.InRange(bytes, 10_000 * 1536, 35_000_000);
    }

    private static IEnumerable<(int, PassageVectors)> Documents(float[][] passages) =>
        passages.Chunk(30).Select((chunk, i) => (30 * i, PassageVectors.Of([.. chunk.Select(p => StoredVector.Of(p))])!));

    private float[] Vector(int dimensions) => [.. Enumerable.Range(0, dimensions).Select(_ => (float)(_random.NextDouble() + _random.NextDouble() + _random.NextDouble() - 1.5))];

    private static float[] Add(float[] one, float[] other, float factor) => [.. one.Zip(other, (a, b) => a + (factor * b))];

    private static double Cosine(float[] one, float[] other) =>
        one.Zip(other, (a, b) => (double)a * b).Sum() / Math.Sqrt(one.Sum(a => (double)a * a) * other.Sum(b => (double)b * b));
}
