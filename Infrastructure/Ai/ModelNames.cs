
namespace ChatBackend.Infrastructure.Ai;

/// <summary>The values of <c>model</c> when no model wrote the answer. They are stored with the turns.</summary>
internal static class ModelNames
{
    /// <summary>The answer quotes the book.</summary>
    public const string Offline = "offline-extractive";

    /// <summary>The answer is one of the prepared replies to small talk.</summary>
    public const string SmallTalk = "small-talk";
}
