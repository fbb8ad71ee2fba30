
namespace ChatBackend.Infrastructure.Ai;

/// <summary>The values of <c>model</c> when no model wrote the answer. They are stored with the turns.</summary>
internal static class ModelNames
{
    public const string Offline = "offline-extractive";

    public const string SmallTalk = "small-talk";
}
