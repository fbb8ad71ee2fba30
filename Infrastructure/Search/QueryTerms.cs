namespace ChatBackend.Infrastructure.Search;

/// <summary>The terms that an index looks up for a question.</summary>
internal static class QueryTerms
{
    /// <summary>Terms beyond this many only cost time: whole words are kept first, then the longest.</summary>
    private const int MaxTerms = 128;

    /// <summary>The terms, those that say most first, and how often the question has each.</summary>
    public static (string Term, int Frequency)[] Of(string text) =>
        [.. TextAnalyzer.AnalyzeQuery(text).Frequencies
            .OrderBy(t => t.Key[0] == TextAnalyzer.GramPrefix).ThenByDescending(t => t.Key.Length)
            .Take(MaxTerms).Select(t => (t.Key, t.Value))];
}
