using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Features.Chat.Turns;

internal sealed class TurnOptions
{
    public const int MaxTakeovers = 3;

    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How often a process renews its leases, saves what is written so far, and looks for abandoned turns.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan Beat { get; set; } = TimeSpan.FromSeconds(1);
}
