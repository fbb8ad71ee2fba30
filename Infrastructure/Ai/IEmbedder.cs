namespace ChatBackend.Infrastructure.Ai;

internal interface IEmbedder
{
    /// <summary>The model's name. Vectors of different models cannot be compared.</summary>
    string Model { get; }

    /// <summary>The numbers in a vector, where they are set or the model has answered; else null.</summary>
    int? KnownDimensions => null;

    /// <summary>One vector per text, in the order of the texts. Batches, retries and deadlines are handled here.</summary>
    /// <exception cref="ModelException">Every failure, whatever its cause.</exception>
    Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken);

    /// <summary>One call without retries and without the circuit breaker, for an ingest, which waits as long as it must.</summary>
    /// <param name="texts">At most 128.</param>
    /// <param name="limit">The time for the call.</param>
    /// <exception cref="ModelException">Every failure, whatever its cause.</exception>
    Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedOnceAsync(IReadOnlyList<string> texts, TimeSpan limit, CancellationToken cancellationToken) =>
        EmbedAsync(texts, cancellationToken);
}
