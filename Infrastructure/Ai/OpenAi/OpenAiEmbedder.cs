using Microsoft.Extensions.Options;
using OpenAI.Embeddings;

namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>Embeddings from OpenAI or a compatible server.</summary>
internal sealed class OpenAiEmbedder(
    OpenAiClients clients, ModelAttempts attempts, IOptions<AiOptions> options, IOptions<ModelLimits> limits, TimeProvider time, ILogger<OpenAiEmbedder> log) : IEmbedder
{
    /// <summary>Below OpenAI's limit of 2,048 inputs, so that a batch is done within its time, and below Gemini's of 100.</summary>
    internal const int MostTexts = 96;

    /// <summary>About 25,000 tokens of English, and in any script below the API's limit of 300,000 a request.</summary>
    private const int MostCharacters = 100_000;

    private const int Attempts = 2;

    private readonly AiOptions _options = options.Value;

    private int? _learnt;

    public string Model => _options.EmbeddingModel;

    public int? KnownDimensions => _options.EmbeddingDimensions ?? _learnt;

    public async Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken)
    {
        var vectors = new List<ReadOnlyMemory<float>>(texts.Count);
        foreach (var batch in Batches(texts))
            vectors.AddRange(await EmbedBatchAsync(batch, cancellationToken));

        return vectors;
    }

    public async Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedOnceAsync(IReadOnlyList<string> texts, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var budget = new ModelBudget(limit, time);
        using var call = new ModelCall("embeddings", _options.EmbeddingModel, log) { Attempts = 1 };
        try
        {
            var embeddings = await AskAsync([.. texts.Select(t => t.Length == 0 ? " " : t)], limit, budget, cancellationToken);
            call.Succeed("stop", embeddings.Usage is { } usage ? new(usage.InputTokenCount, 0) : null);

            return [.. embeddings.OrderBy(e => e.Index).Select(e => e.ToFloats())];
        }
        catch (ModelException e)
        {
            call.Fail(e);
            throw;
        }
    }

    private static IEnumerable<List<string>> Batches(IReadOnlyList<string> texts)
    {
        var batch = new List<string>();
        var characters = 0;
        foreach (var text in texts)
        {
            if (batch.Count > 0 && (batch.Count == MostTexts || characters + text.Length > MostCharacters))
            {
                yield return batch;
                (batch, characters) = ([], 0);
            }

            // The API refuses a batch that has an empty text.
            batch.Add(text.Length == 0 ? " " : text);
            characters += text.Length;
        }

        if (batch.Count > 0)
            yield return batch;
    }

    private async Task<IEnumerable<ReadOnlyMemory<float>>> EmbedBatchAsync(List<string> texts, CancellationToken cancellationToken)
    {
        using var budget = new ModelBudget(limits.Value.EmbedBudget, time);
        using var call = new ModelCall("embeddings", _options.EmbeddingModel, log);
        try
        {
            var embeddings = await attempts.RunAsync(
                call, _options.EmbeddingModel, Attempts, budget, isLastModel: true, token => AskAsync(texts, limits.Value.Embed, budget, token), cancellationToken);
            call.Succeed("stop", embeddings.Usage is { } usage ? new(usage.InputTokenCount, 0) : null);

            return embeddings.OrderBy(e => e.Index).Select(e => e.ToFloats());
        }
        catch (ModelException e)
        {
            call.Fail(e);
            throw;
        }
    }

    private async Task<OpenAIEmbeddingCollection> AskAsync(List<string> texts, TimeSpan limit, ModelBudget budget, CancellationToken cancellationToken)
    {
        using var silence = new CancellationTokenSource(limit, time);
        using var abort = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, budget.Token, silence.Token);
        try
        {
            var embeddings = (await clients.Embeddings(_options.EmbeddingModel).GenerateEmbeddingsAsync(texts, Wanted(), abort.Token)).Value;
            var isWhole = embeddings.Count == texts.Count
                && embeddings.Select(e => e.Index).Distinct().Count() == texts.Count
                && embeddings.All(e => e.ToFloats().Length > 0);
            if (!isWhole)
                throw ModelFaults.Malformed();

            var dimensions = _options.EmbeddingDimensions ?? (_learnt ??= embeddings[0].ToFloats().Length);
            return embeddings.FirstOrDefault(e => e.ToFloats().Length != dimensions) is { } other
                ? throw ModelFaults.OtherDimensions(_options.EmbeddingModel, dimensions, other.ToFloats().Length)
                : embeddings;
        }
        catch (Exception e) when (e is not ModelException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw budget.Token.IsCancellationRequested ? ModelFaults.OutOfTime()
                : silence.IsCancellationRequested ? ModelFaults.Silent()
                : ModelFaults.From(e, time);
        }
    }

    /// <summary>Older models and most local ones reject the parameter.</summary>
    private EmbeddingGenerationOptions Wanted() =>
        _options.EmbeddingModel.StartsWith("text-embedding-3", StringComparison.Ordinal) ? new() { Dimensions = _options.EmbeddingDimensions } : new();
}
