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

internal sealed record ReaderProfile(
    string? DisplayName, string? PreferredLanguage, string? SoftwareExperience, string? HardwareExperience,
    IReadOnlyList<string>? Interests, string? LearningGoals);
