using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Infrastructure.Ai;

/// <summary>Timeouts, waits between retries and the circuit breaker of models (section <c>ModelLimits</c>); mostly tests change them.</summary>
internal sealed class ModelLimits
{
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan Connect { get; set; } = TimeSpan.FromSeconds(3);

    /// <summary>From the request to the first piece.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan FirstPiece { get; set; } = TimeSpan.FromSeconds(20);

    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan Gap { get; set; } = TimeSpan.FromSeconds(20);

    /// <summary>After the finish reason, for the usage; the answer is complete without it.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan AfterFinish { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>One attempt to embed one batch.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan Embed { get; set; } = TimeSpan.FromSeconds(5);

    /// <summary>All attempts to embed one batch.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan EmbedBudget { get; set; } = TimeSpan.FromSeconds(12);

    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan RetryMin { get; set; } = TimeSpan.FromMilliseconds(250);

    /// <summary>The longest wait before a retry, except the server's Retry-After.</summary>
    [Range(typeof(TimeSpan), "00:00:00.001", "01:00:00")]
    public TimeSpan RetryMax { get; set; } = TimeSpan.FromSeconds(2);

    /// <summary>The fewest attempts within <see cref="BreakerWindow"/> for which the breaker opens.</summary>
    [Range(2, int.MaxValue)]
    public int BreakerMinimum { get; set; } = 6;

    /// <summary>The share of failed attempts at which the breaker opens.</summary>
    [Range(0.01, 1.0)]
    public double BreakerRatio { get; set; } = 0.5;

    [Range(typeof(TimeSpan), "00:00:00.500", "1.00:00:00")]
    public TimeSpan BreakerWindow { get; set; } = TimeSpan.FromSeconds(30);

    [Range(typeof(TimeSpan), "00:00:00.500", "1.00:00:00")]
    public TimeSpan BreakerOpen { get; set; } = TimeSpan.FromSeconds(10);
}
