namespace ChatBackend.Infrastructure.Ai;

internal interface IEmbedder
{
    /// <summary>The model's name. Vectors of different models cannot be compared.</summary>
    string Model { get; }

    int Dimensions { get; }

    /// <summary>One vector per text, in the order of the texts. Batches, retries and deadlines are handled here.</summary>
    /// <exception cref="ModelException">Every failure, whatever its cause.</exception>
    Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken);
}
