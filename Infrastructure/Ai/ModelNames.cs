
namespace ChatBackend.Infrastructure.Ai;

/// <summary>What stands in <c>model</c> where no model wrote the answer. Stored with the turns.</summary>
internal static class ModelNames
{
    /// <summary>The answer quotes the book.</summary>
    public const string Offline = "offline-extractive";

    /// <summary>The answer is one of the prepared replies to small talk.</summary>
    public const string SmallTalk = "small-talk";
}
