namespace ChatBackend.Infrastructure.Search.Words;

/// <summary>A term that an index looks up for a question.</summary>
/// <param name="Weight">How often the question has it; less for a corrected word and an everyday word.</param>
internal sealed record QueryTerm(string Term, double Weight);

internal static class QueryTerms
{
    /// <summary>More terms only take time. Whole words are kept first, then the longest terms.</summary>
    private const int MaxTerms = 128;

    /// <summary>Ordered from the most specific term to the least.</summary>
    public static QueryTerm[] Of(SpelledQuestion question) =>
        [.. TextAnalyzer.AnalyzeQuery(question.Text).Frequencies
            .OrderByDescending(t => TextAnalyzer.IsWord(t.Key)).ThenByDescending(t => t.Key.Length)
            .Take(MaxTerms).Select(t => new QueryTerm(t.Key, question.Discount(t.Key) * EverydayWords.WeightOf(t.Key) * t.Value))];
}
