using System.Globalization;
using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Features.Chat.Answering;

/// <param name="History">The messages before the question, oldest first.</param>
/// <param name="Profile">The reader; null without a profile.</param>
internal sealed record Conversation(IReadOnlyList<HistoryMessage> History, ReaderProfile? Profile)
{
    /// <summary>The most messages of a prompt, the question included.</summary>
    public const int MaxMessages = 10;
}

internal sealed record HistoryMessage(ModelRole Role, string Content, bool IsCut = false)
{
    /// <summary>Says that a cut answer is cut, or the model would take it for a whole one.</summary>
    public ModelMessage ToPrompt() => new(Role, IsCut ? $"{Content}\n\n[This answer was cut off here.]" : Content);
}

/// <summary>What a signed-in reader says about themselves, except for the name, which no answer needs.</summary>
internal sealed partial record ReaderProfile(
    string? PreferredLanguage, string? SoftwareExperience, string? HardwareExperience, IReadOnlyList<string>? Interests, string? LearningGoals)
{
    /// <summary>The preferred language for instructions, such as "Urdu (ur)". Only its subtags for language, script and region: the others could be words.</summary>
    public string? LanguageName => PreferredLanguage is not null && Language().Match(PreferredLanguage) is { Success: true, Value: var tag }
        ? $"{CultureInfo.GetCultureInfo(tag).EnglishName} ({tag})"
        : null;

    /// <summary>In two lines: the level, then the wishes. Empty when nothing is said.</summary>
    public string Describe()
    {
        var level = Join(("language", PreferredLanguage), ("software experience", SoftwareExperience), ("hardware experience", HardwareExperience));
        var wishes = Join(("interests", string.Join(", ", Interests ?? [])), ("goals", LearningGoals));
        return $"{level}\n{wishes}".Trim();

        static string Join(params (string Name, string? Value)[] facts) => string.Join("; ",
            from fact in facts
            where !string.IsNullOrWhiteSpace(fact.Value)
            select $"{fact.Name}: {string.Join(' ', fact.Value.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries))}");
    }

    [GeneratedRegex(
        @"\A[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|[0-9]{3}))?(?=-|\z)",
        RegexOptions.CultureInvariant | RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Language();
}
