using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Tests.Infrastructure.Search.Meaning;

/// <summary>An embedder whose dimensions are topics.</summary>
internal sealed class MeaningOfWords : IEmbedder
{
    private static readonly string[][] Topics = [["walrus"], ["grip", "grasp"], ["torque", "joint"], ["sensor", "measure"]];

    public string Model { get; init; } = "text-embedding-3-small";

    public int Dimensions { get; init; } = 8;

    public int? KnownDimensions => Dimensions;

    public bool IsBroken { get; set; }

    public int Texts { get; private set; }

    public Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken)
    {
        if (IsBroken)
            throw new ModelException(ModelFailure.Unavailable, "Broken for the test.");
        Texts += texts.Count;
        return Task.FromResult<IReadOnlyList<ReadOnlyMemory<float>>>([.. texts.Select(text => new ReadOnlyMemory<float>(
            [.. Enumerable.Range(0, Dimensions).Select(i => i < Topics.Length ? Topics[i].Count(word => text.Contains(word, StringComparison.OrdinalIgnoreCase)) : 0f)]))]);
    }
}
