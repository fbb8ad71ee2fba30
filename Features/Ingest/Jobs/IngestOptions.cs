using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Features.Ingest.Jobs;

internal sealed class IngestOptions
{
    /// <summary>More owners than this may not die with a job that makes no progress.</summary>
    public const int MaxStalls = 10;

    /// <summary>Jobs that may wait while one runs.</summary>
    public const int MaxWaiting = 20;

    [Range(typeof(TimeSpan), "00:00:00.100", "01:00:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How often a process renews its lease, saves the report, and looks for jobs while there are some.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "01:00:00")]
    public TimeSpan Beat { get; set; } = TimeSpan.FromSeconds(1);
}
