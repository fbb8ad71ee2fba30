using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Infrastructure.Ai;

/// <summary>
/// How long a model is waited for, how often it is asked again, and when it is given up for a while. The section
/// <c>ModelLimits</c> of the configuration changes them, mostly for tests.
/// </summary>
internal sealed class ModelLimits
{
    /// <summary>Until the connection is there.</summary>
    public TimeSpan Connect { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>From the request to the first piece.</summary>
    public TimeSpan FirstPiece { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>Between two pieces.</summary>
    public TimeSpan Gap { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>After the finish reason, for the tokens used; the answer is whole without them.</summary>
    public TimeSpan AfterFinish { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>One attempt to embed one batch.</summary>
    public TimeSpan Embed { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>All attempts to embed one batch.</summary>
    public TimeSpan EmbedBudget { get; set; } = TimeSpan.FromSeconds(12);

    /// <summary>The least wait before asking again.</summary>
    public TimeSpan RetryMin { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>The longest wait before asking again that is not the server's own wish.</summary>
    public TimeSpan RetryMax { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>Attempts within <see cref="BreakerWindow"/> from which on a failure ratio means something.</summary>
    [Range(2, int.MaxValue)]
    public int BreakerMinimum { get; set; } = 6;

    /// <summary>The share of attempts that must fail.</summary>
    [Range(0.01, 1.0)]
    public double BreakerRatio { get; set; } = 0.5;

    /// <summary>The time over which attempts are counted; at least half a second.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "1.00:00:00")]
    public TimeSpan BreakerWindow { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long nobody is sent to a model that does not work; at least half a second.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "1.00:00:00")]
    public TimeSpan BreakerOpen { get; set; } = TimeSpan.FromSeconds(10);
}
