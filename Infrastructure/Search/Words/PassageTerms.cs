namespace ChatBackend.Infrastructure.Search.Words;

/// <summary>The terms that find a passage: those of its text, and of the title and headings above it.</summary>
internal static class PassageTerms
{
    /// <summary>The weight of the title and the headings; the text has 1.</summary>
    private const int HeadingWeight = 2;

    public static AnalyzedText Of(IReadOnlyList<string> headingPath, string text)
    {
        var ofText = TextAnalyzer.Analyze(text);
        var ofHeadings = TextAnalyzer.Analyze(string.Join('\n', headingPath));
        var frequencies = new Dictionary<string, int>(ofText.Frequencies);
        foreach (var (term, frequency) in ofHeadings.Frequencies)
            frequencies[term] = frequencies.GetValueOrDefault(term) + (HeadingWeight * frequency);
        return new(frequencies, ofText.Length + (HeadingWeight * ofHeadings.Length));
    }
}
