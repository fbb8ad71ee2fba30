using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Infrastructure.Configuration;

internal sealed class ShutdownOptions
{
    /// <summary>Answers in flight get all but the last 5 s, in which the others are handed on (TurnLeases). Platforms kill after 60 s
    /// (compose.yaml, railway.ts).</summary>
    [Range(typeof(TimeSpan), "00:00:06", "00:10:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(45);
}
