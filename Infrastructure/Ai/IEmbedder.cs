namespace ChatBackend.Infrastructure.Ai;

/// <summary>Turns texts into vectors.</summary>
internal interface IEmbedder
{
    /// <summary>The model's name: vectors of different models cannot be compared.</summary>
    string Model { get; }

    /// <summary>The number of dimensions of every vector.</summary>
    int Dimensions { get; }

    /// <summary>One vector per text, in the order of the texts. Batches, retries and deadlines are handled here.</summary>
    /// <exception cref="ModelException">Every failure, whatever its cause.</exception>
    Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken);
}
