using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Infrastructure.Search.Meaning;

/// <summary>Embeds a reader's question. A search does without if that fails.</summary>
internal static class QuestionEmbedding
{
    /// <summary>Null without an embedder, and if it fails or takes longer than <see cref="ModelLimits.EmbedBudget"/>: the words are searched alone then.</summary>
    public static async Task<ReadOnlyMemory<float>?> EmbedQuestionAsync(this IEmbedder? embedder, string question, ILogger log, CancellationToken cancellationToken)
    {
        if (embedder is null || string.IsNullOrWhiteSpace(question))
            return null;
        try
        {
            return (await embedder.EmbedAsync([question], cancellationToken))[0];
        }
        catch (ModelException e)
        {
            log.LogWarning("The question could not be embedded ({Code}); searching with its words alone", e.Code);
            return null;
        }
    }
}
