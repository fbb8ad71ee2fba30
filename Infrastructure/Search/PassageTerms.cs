namespace ChatBackend.Infrastructure.Search;

/// <summary>What a passage is found by: its text, and the title and headings above it.</summary>
internal static class PassageTerms
{
    /// <summary>The terms of a passage, those of its headings counted <paramref name="headingWeight"/> times.</summary>
    public static AnalyzedText Of(IReadOnlyList<string> headingPath, string text, int headingWeight)
    {
        var ofText = TextAnalyzer.Analyze(text);
        var ofHeadings = TextAnalyzer.Analyze(string.Join('\n', headingPath));
        var frequencies = new Dictionary<string, int>(ofText.Frequencies);
        foreach (var (term, frequency) in ofHeadings.Frequencies)
            frequencies[term] = frequencies.GetValueOrDefault(term) + (headingWeight * frequency);
        return new(frequencies, ofText.Length + (headingWeight * ofHeadings.Length));
    }
}
