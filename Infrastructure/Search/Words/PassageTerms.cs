using System.Text.RegularExpressions;

namespace ChatBackend.Infrastructure.Search.Words;

/// <summary>The terms that find a passage: those of its text, and of the title and headings above it.</summary>
internal static partial class PassageTerms
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

    /// <summary>The terms of each sentence, and of each item of a list.</summary>
    public static IReadOnlyList<AnalyzedText> OfSentences(string text) =>
        [.. SentenceEnd().Split(text).Where(sentence => sentence.Any(char.IsLetterOrDigit)).Select(TextAnalyzer.Analyze)];

    [GeneratedRegex(@"(?<=[.!?…؟۔।]["")\]”’*_]*)\s+|(?<=[。！？])|\n\s*\n|\n\s*(?=[-*+|]\s|\d+[.)]\s)", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 30_000)]
    private static partial Regex SentenceEnd();
}
