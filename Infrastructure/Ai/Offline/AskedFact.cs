using System.Text.RegularExpressions;

namespace ChatBackend.Infrastructure.Ai.Offline;

/// <summary>What an answer must have beside the question's words, as far as words tell: a number for "how many", a name for "who", what an acronym
/// means for "stand for", and a word such as "above", "before" or "not" if a short question has it. English only: questions in other languages ask
/// for nothing more.</summary>
/// <param name="question">As the reader asked it, without its context.</param>
internal sealed partial class AskedFact(string question)
{
    /// <summary>Stop words that turn a sentence into another one.</summary>
    private static readonly HashSet<string> Deciding = new(
        ["up", "down", "above", "below", "under", "before", "after", "without", "not", "never"], StringComparer.OrdinalIgnoreCase);

    private static readonly HashSet<string> Persons = new(
        [
            "who", "you", "we", "people", "person", "persons", "somebody", "someone", "anybody", "anyone", "everybody", "everyone", "nobody",
            "human", "humans", "operator", "operators", "engineer", "engineers", "student", "students", "user", "users", "reader", "readers", "author", "authors",
            "developer", "developers", "researcher", "researchers", "scientist", "scientists", "supervisor", "supervisors", "manager", "team", "teams", "company",
        ], StringComparer.OrdinalIgnoreCase);

    /// <summary>Whether a text may answer the question, whose words it has.</summary>
    /// <param name="isShort">Whether the question has few words: in a long one, "up" is mostly a part of a verb.</param>
    public bool MayBeIn(string heading, string text, bool isShort)
    {
        var words = Word().Matches(text).Select(m => m.Value).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var asked = Word().Matches(question).Select(m => m.Value).ToArray();
        if (Negation().IsMatch(text))
            words.Add("not");
        return (!isShort || asked.Where(Deciding.Contains).All(words.Contains) || VerbWithUp().IsMatch(question))
            && HasKind(Number(), heading, text)
            && (!Expansion().IsMatch(question) || Acronym.IsSpelledOut(asked, text) || asked.Any(word => Acronym.HasInitialsOf(word, heading)));
    }

    /// <summary>Whether a text names somebody if the question asks who, and has a number if it asks how many. How far, how long and how often may also
    /// be answered in words.</summary>
    public bool IsKindOf(string heading, string text) => HasKind(Count(), heading, text);

    private bool HasKind(Regex number, string heading, string text) =>
        (!number.IsMatch(question) || HasNumber().IsMatch(text))
        && (!Person().IsMatch(question) || Word().Matches($"{heading} {text}").Any(m => Persons.Contains(m.Value))
            || Name().Matches(text).Any(m => !question.Contains(m.Value, StringComparison.OrdinalIgnoreCase)));

    [GeneratedRegex(@"[\p{L}\p{N}]+", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Word();

    [GeneratedRegex(@"\bhow (?:many|much|far|long|fast|high|heavy|old|often|big|large|small|tall|deep|wide)\b|^when (?:was|were|did)\b|\b(?:what|which) year\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Number();

    [GeneratedRegex(@"\bhow many\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Count();

    [GeneratedRegex(@"\d|\b(?:zero|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|\w+teen|(?:twen|thir|for|fif|six|seven|eigh|nine)ty|dozens?|hundreds?|thousands?|millions?|billions?|half|third|quarter|once|twice|several|both|pairs?|(?:a|an|per|the) (?:second|minute|hour|day|week|month|year)|seconds|minutes|hours|days|weeks|months|years|daily|weekly|continuous(?:ly)?|none|no|never|always|every|each|all)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex HasNumber();

    [GeneratedRegex(@"^who(?:m|se)?\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Person();

    /// <summary>A capitalized word within a sentence, or a word in capitals.</summary>
    [GeneratedRegex(@"(?<=[\p{L}\p{N},;()""'’] )\p{Lu}\p{Ll}+|\b\p{Lu}{2,}\b", RegexOptions.None, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Name();

    [GeneratedRegex(@"\b(?:stands?|stood|short)\s+for\W*$|\bfull\s+form\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Expansion();

    /// <summary>"Up" is a part of these verbs, which a text may write as one word or replace.</summary>
    [GeneratedRegex(@"\b(?:set|sets|setting|bring|start|look|speed|power|pick|back|build|come|end|sum|wake|warm|turn|slow|shut|break|calm|cool|go|write|lie) (?:\w+ )?(?:up|down)\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex VerbWithUp();

    [GeneratedRegex(@"\bcannot\b|n['’]t\b", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Negation();
}
