using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Search.Meaning;

namespace ChatBackend.Tests.Infrastructure.Search.Meaning;

/// <summary>Passages point in one direction. The cosine of a question to them is the number at its end, or, for the
/// unrelated question at place <c>i</c>, <c>i</c> hundredths.</summary>
internal sealed class KnownCosines : IEmbedder
{
    private static readonly List<string> Unrelated = [.. UnrelatedQuestions.In("en")];

    public string Model { get; init; } = "known-cosines";

    public int? KnownDimensions => 8;

    public bool IsBroken { get; set; }

    public int Texts { get; private set; }

    public Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken)
    {
        if (IsBroken)
            throw new ModelException(ModelFailure.Unavailable, "Broken for the test.");
        Texts += texts.Count;
        return Task.FromResult<IReadOnlyList<ReadOnlyMemory<float>>>([.. texts.Select(text => Vector(CosineOf(text)))]);
    }

    private static double CosineOf(string text) =>
        Unrelated.IndexOf(text) is >= 0 and var place ? (place + 1) / 100.0
        : double.TryParse(text.Split(' ')[^1], System.Globalization.CultureInfo.InvariantCulture, out var number) ? number
        : 1;

    private static ReadOnlyMemory<float> Vector(double cosine) => new float[] { (float)cosine, (float)Math.Sqrt(1 - (cosine * cosine)), 0, 0, 0, 0, 0, 0 };
}
