using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Features.Chat.Answering;

/// <summary>
/// Checks the citations of a model. A passage fits the statement before its marker if both share a word that says something about a topic.
/// Across languages words cannot be compared, so a passage that was given is enough.
/// </summary>
internal sealed partial class CitationCheck(string question, IReadOnlyList<Passage> passages)
{
    /// <summary>A shorter statement ("Yes, both do.") rests on the one before it, and on the question.</summary>
    private const int FewWords = 3;

    private readonly string? _questionLanguage = Languages.Of(question);

    /// <param name="answer">The answer up to the marker.</param>
    /// <param name="number">The passage's number, from 1.</param>
    public bool Fits(string answer, int number)
    {
        var statements = StatementEnd().Split(answer).Where(s => s.Any(char.IsLetterOrDigit)).TakeLast(2).ToArray();
        if (statements is not [.., var statement])
            return true;
        var passage = passages[number - 1];
        var language = Languages.Of(statement) ?? _questionLanguage;
        if (language is null || language != Languages.Of(passage.Text))
            return true;

        var (shared, all) = Coverage.Shared(statement, passage.Terms);
        if (all < FewWords)
            (shared, all) = Coverage.Shared($"{question}\n{string.Join('\n', statements)}", passage.Terms);
        return all == 0 || shared > 0;
    }

    [GeneratedRegex(@"(?<=[.!?…؟۔।]["")\]”’*_]*)\s+(?=\P{Ll})|(?<=[。！？])|\n+", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex StatementEnd();
}
