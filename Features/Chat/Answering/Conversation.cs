using ChatBackend.Infrastructure.Ai;

namespace ChatBackend.Features.Chat.Answering;

/// <summary>What the model is told besides the question and the passages.</summary>
/// <param name="History">The messages before the question, oldest first, at most nine.</param>
/// <param name="Profile">The reader; null where nobody is signed in.</param>
internal sealed record Conversation(IReadOnlyList<HistoryMessage> History, ReaderProfile? Profile);

/// <summary>A message of the conversation so far.</summary>
/// <param name="IsCut">True for an answer that stops before its end.</param>
internal sealed record HistoryMessage(ModelRole Role, string Content, bool IsCut = false)
{
    /// <summary>The message for a prompt. A cut answer says that it is cut, or the model takes it for a whole one.</summary>
    public ModelMessage ToPrompt() => new(Role, IsCut ? $"{Content}\n\n[This answer was cut off here.]" : Content);
}

/// <summary>What a signed-in reader said about themself.</summary>
internal sealed record ReaderProfile(
    string? DisplayName, string? PreferredLanguage, string? SoftwareExperience, string? HardwareExperience,
    IReadOnlyList<string>? Interests, string? LearningGoals);
