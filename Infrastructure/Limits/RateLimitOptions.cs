using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Infrastructure.Limits;

/// <summary>Requests a minute per client; 0 is no limit.</summary>
internal sealed class RateLimitOptions
{
    /// <summary>Of new questions and of summaries.</summary>
    [ConfigurationKeyName("RATE_LIMIT_CHAT"), Range(0, 1_000_000)]
    public int Chat { get; set; } = 30;

    [ConfigurationKeyName("RATE_LIMIT_TRANSLATE"), Range(0, 1_000_000)]
    public int Translate { get; set; } = 10;

    [ConfigurationKeyName("RATE_LIMIT_SEARCH"), Range(0, 1_000_000)]
    public int Search { get; set; } = 120;
}
