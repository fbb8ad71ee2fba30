using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Infrastructure.Http;

/// <summary>Requests a minute per client; 0 is no limit.</summary>
internal sealed class RateLimitOptions
{
    /// <summary>Of new questions and of summaries.</summary>
    [ConfigurationKeyName(RateLimits.Chat), Range(0, 1_000_000)]
    public int Chat { get; set; } = 30;

    [ConfigurationKeyName(RateLimits.Search), Range(0, 1_000_000)]
    public int Search { get; set; } = 120;
}
