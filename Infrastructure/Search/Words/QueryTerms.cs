namespace ChatBackend.Infrastructure.Search.Words;

/// <summary>A term that an index looks up for a question.</summary>
/// <param name="Frequency">How often the question has it.</param>
/// <param name="Share">What it counts for where it is told how much of the question a passage covers: less for an everyday word.</param>
internal sealed record QueryTerm(string Term, int Frequency, double Share);

/// <summary>The terms that an index looks up for a question.</summary>
internal static class QueryTerms
{
    /// <summary>
    /// What a term counts that a passage lacks and another passage of the book has, against 1 for one that the book does not
    /// know at all: a question on the book is rarely answered in its own words, but it is rarely asked in words that the book
    /// never uses. (With this and <see cref="Everyday"/> no question off the sample book covers more than 0.45 of any passage,
    /// and 64 of 69 on it do.)
    /// </summary>
    public const double Elsewhere = 0.2;

    /// <summary>What an everyday word counts.</summary>
    private const double Everyday = 0.3;

    /// <summary>Terms beyond this many only cost time: whole words are kept first, then the longest.</summary>
    private const int MaxTerms = 128;

    /// <summary>The terms, those that say most first.</summary>
    public static QueryTerm[] Of(string text) =>
        [.. TextAnalyzer.AnalyzeQuery(text).Frequencies
            .OrderBy(t => t.Key[0] == TextAnalyzer.GramPrefix).ThenByDescending(t => t.Key.Length)
            .Take(MaxTerms).Select(t => new QueryTerm(t.Key, t.Value, EverydayWords.Contain(t.Key) ? Everyday : 1))];
}
