using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Infrastructure.Configuration;

internal sealed class PatienceOptions
{
    /// <summary>How long a dependency may be unavailable before an ingest job fails, in seconds.</summary>
    [ConfigurationKeyName("INGEST_PATIENCE"), Range(0, 86_400)]
    public int Seconds { get; set; } = 120;

    public TimeSpan Limit => TimeSpan.FromSeconds(Seconds);
}
