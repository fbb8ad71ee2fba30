namespace ChatBackend.Infrastructure.Search.Words;

/// <summary>The constants of BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009), the same in every index.
/// docs/retrieval.md has what was tried.</summary>
internal static class Bm25
{
    /// <summary>How soon more occurrences of a term stop to count.</summary>
    public const double K1 = 1.2;

    /// <summary>How strongly a passage's length counts. Usual is 0.75; with less, long Turkish passages are found more often.</summary>
    private const double B = 0.6;

    /// <summary>The length, in terms, that counts as neither short nor long. A constant, because vectors that are stored cannot follow the
    /// book's mean, and because in a book of sentences the mean is too short: every second sentence would count as long.</summary>
    private const double MeanLength = 75;

    /// <summary>A term's share in a passage's score is f / (f + Fixed + PerTerm × length), where f is its frequency in the passage.</summary>
    public const double Fixed = K1 * (1 - B);

    public const double PerTerm = K1 * B / MeanLength;
}
