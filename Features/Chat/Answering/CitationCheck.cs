using System.Globalization;
using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Features.Chat.Answering;

/// <summary>
/// Checks the citations of a model. A passage fits the statement before its marker if it has enough of the statement's words, about as much
/// of them as the passage that has most, and its numbers and code. Words that all passages have hardly count, because they do not tell
/// which one says it. Across languages only numbers, code and names can be compared, and passages with the search that found them. docs/retrieval.md has what was measured.
/// </summary>
internal sealed partial class CitationCheck(string question, IReadOnlyList<Passage> passages)
{
    /// <summary>A shorter statement ("Yes, both do.") rests on the one before it, and on the question.</summary>
    private const int FewWords = 3;

    /// <summary>The least share of a statement's words. Other words may be a paraphrase.</summary>
    private const double LeastShare = 0.3;

    /// <summary>The least that a passage has of a statement, relative to the passage that has most of it; or that it adds to that one.</summary>
    private const double LeastOfBest = 0.7;
    private const double LeastAdded = 0.3;

    /// <summary>Where a statement's words cannot be compared: the least coverage of the search, relative to the passage that has most of it.</summary>
    private const double LeastOfBestFound = 0.5;

    /// <summary>The least share of a statement's numbers and code. The rest may be in a passage that is cited beside this one.</summary>
    private const double LeastFacts = 0.5;

    private readonly AnalyzedText[] _texts = [.. passages.Select(p => p.Terms)];

    /// <param name="answer">The answer up to the marker, or the last thousand characters of it.</param>
    /// <param name="number">The passage's number, from 1.</param>
    public bool Fits(string answer, int number)
    {
        var statements = StatementEnd().Split(answer).Where(s => s.Any(char.IsLetterOrDigit)).TakeLast(2).ToArray();
        if (statements is not [.., var statement])
            return true;
        if ((Languages.Of(statement) ?? Languages.Of(question)) != LanguageOf(passages[number - 1]))
            return IsAbout(passages[number - 1]) && HasFacts(number - 1, [.. Numbers(statement), .. Code(statement), .. Names(statement)], least: 0);

        string[] facts = [.. Numbers(statement), .. Code(statement)];
        var coverage = Coverage.Among(statement, _texts);
        return Says(number - 1, coverage, facts)
            || (coverage.Weights.Count < FewWords && Says(number - 1, Coverage.Among($"{question}\n{string.Join('\n', statements)}", _texts), facts));
    }

    /// <summary>A passage that does not tell its language, such as code, has that of the others.</summary>
    private string? LanguageOf(Passage passage) => Languages.Of(passage.Text) ?? Languages.Of(string.Join('\n', passages.Select(p => p.Text)));

    /// <summary>Whether a passage is about what the book was searched for, in its own language, nearly as much as the best one.</summary>
    private bool IsAbout(Passage passage) =>
        passages.Any(p => p.HoldsSelection) || passage.Nearness >= 0 || passage.Coverage >= LeastOfBestFound * passages.Max(p => p.Coverage);

    private bool Says(int place, Coverage coverage, string[] facts)
    {
        var degrees = _texts.Select(coverage.Degrees).ToArray();
        var covered = degrees.Select(d => coverage.Weights.Zip(d, (weight, degree) => weight * degree).Sum()).ToArray();
        var most = covered.Max();
        return most > 0 && degrees[place].Count(d => d > 0) >= LeastShare * degrees[place].Length
            && (covered[place] >= LeastOfBest * most || AddsTo(Array.IndexOf(covered, most)))
            && (HasFacts(place, facts, LeastFacts) || Enumerable.Range(0, passages.Count).Any(other => HasFacts(other, facts, LeastFacts) && AddsTo(other)));

        bool AddsTo(int other) =>
            coverage.Weights.Select((weight, i) => weight * Math.Max(0, degrees[place][i] - degrees[other][i])).Sum() is var added && added > 0 && added >= LeastAdded * most;
    }

    /// <param name="least">The least share of them. What the question has too says nothing about the passage.</param>
    private bool HasFacts(int place, string[] facts, double least)
    {
        if (facts.Length == 0)
            return true;
        var asked = Numbers(question).Concat(Code(question)).Concat(Names(question)).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var telling = facts.Where(fact => !asked.Contains(fact)).ToArray();
        if (telling.Length == 0)
            return true;
        var passage = passages[place];
        var numbers = Numbers($"{passage.Headings}\n{passage.Text}").ToHashSet();
        return telling.Count(Has) is > 0 and var held && held >= least * telling.Length;

        bool Has(string fact) => numbers.Contains(fact)
            || (TextAnalyzer.AnalyzeQuery(fact).Frequencies.Keys.ToArray() is { Length: > 0 } terms && terms.Count(passage.Terms.Frequencies.ContainsKey) * 2 >= terms.Length);
    }

    /// <summary>The digits of numbers with two or more: 1,000 and 1.000 are the same number, and a single digit may be a word in the passage.</summary>
    private static IEnumerable<string> Numbers(string text) => Number().Matches(text)
        .Select(m => string.Concat(m.Value.Where(char.IsDigit).Select(d => (int)CharUnicodeInfo.GetNumericValue(d))))
        .Where(digits => digits.Length > 1);

    private static IEnumerable<string> Code(string text) => CodeSpan().Matches(text).Select(m => m.Groups["code"].Value);

    /// <summary>Words in Latin letters in a text of another script; in Latin script those that are no ordinary words: URDF, JointState, ros2.</summary>
    private static IEnumerable<string> Names(string text)
    {
        var isLatin = text.Count(char.IsAsciiLetter) * 2 > text.Count(char.IsLetter);
        return LatinWord().Matches(text).Select(m => m.Value).Where(w => !isLatin || w.Skip(1).Any(c => !char.IsAsciiLetterLower(c)));
    }

    [GeneratedRegex(@"\n+(?:\s*\d+[.)]\s+)?|(?<=[.!?…؟۔।]["")\]”’*_]*)\s+(?=\P{Ll})|(?<=[。！？])", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex StatementEnd();

    [GeneratedRegex(@"(?<![A-Za-z_\d])\d+(?:[.,'’٫٬\u00A0\u202F]\d+)*", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Number();

    [GeneratedRegex("`(?<code>[^`\n]+)`", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex CodeSpan();

    [GeneratedRegex(@"(?<![\p{L}\p{N}_])[A-Za-z][A-Za-z0-9_]+", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex LatinWord();
}
