using System.Text.RegularExpressions;

namespace ChatBackend.Infrastructure.Ai.Offline;

/// <summary>What an answer must have beside the question's words, as far as words tell: a number for "how many", a name for "who", what an acronym
/// means for "stand for", and "up" for "up". English only: questions in other languages ask for nothing more.</summary>
internal sealed partial class AskedFact(string question)
{
    /// <summary>Stop words that turn a sentence into another one.</summary>
    private static readonly HashSet<string> Deciding = new(
        ["up", "down", "above", "below", "under", "before", "after", "without", "not", "never"], StringComparer.OrdinalIgnoreCase);

    private static readonly HashSet<string> Persons = new(
        ["who", "you", "we", "people", "person", "persons", "somebody", "someone", "anybody", "anyone", "everybody", "everyone", "nobody"], StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether a text may answer the question, whose words it has.</summary>
    /// <param name="isShort">Whether the question has few words: in a long one, "up" is mostly a part of a verb.</param>
    public bool MayBeIn(string heading, string text, bool isShort)
    {
        var words = Word().Matches(text).Select(m => m.Value).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var asked = Word().Matches(question).Select(m => m.Value).ToArray();
        return (!isShort || asked.Where(Deciding.Contains).All(words.Contains))
            && IsKindOf(heading, text)
            && (!Expansion().IsMatch(question) || Acronym.IsSpelledOut(asked, text) || asked.Any(word => Acronym.HasInitialsOf(word, heading)));
    }

    /// <summary>Whether a text names somebody if the question asks who, and has a number if it asks how many.</summary>
    public bool IsKindOf(string heading, string text) =>
        (!Number().IsMatch(question) || HasNumber().IsMatch(text))
        && (!Person().IsMatch(question) || Word().Matches($"{heading} {text}").Any(m => Persons.Contains(m.Value))
            || Name().Matches(text).Any(m => !question.Contains(m.Value, StringComparison.OrdinalIgnoreCase)));

    [GeneratedRegex(@"[\p{L}\p{N}]+", RegexOptions.None, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Word();

    [GeneratedRegex(@"\bhow (?:many|much|far|long|fast|high|heavy|old|often|big|large|small|tall|deep|wide)\b|^when (?:was|were|did)\b|\b(?:what|which) year\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Number();

    [GeneratedRegex(@"\d|\b(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|dozens?|hundreds?|thousands?|millions?|billions?|half|third|quarter|once|twice|none|no|never|always|every|each|all)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex HasNumber();

    [GeneratedRegex(@"^who(?:m|se)?\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Person();

    /// <summary>A capitalized word within a sentence.</summary>
    [GeneratedRegex(@"(?<=[\p{L}\p{N},;()""'’] )\p{Lu}\p{Ll}+", RegexOptions.None, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Name();

    [GeneratedRegex(@"\b(?:stands?|stood|short)\s+for\W*$|\bfull\s+form\b|\b(?:acronym|abbreviation)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1_000)]
    private static partial Regex Expansion();
}
