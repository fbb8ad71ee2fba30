namespace ChatBackend.Infrastructure.Http;

/// <summary>Requests a minute per client; 0 is no limit.</summary>
internal sealed class RateLimitOptions
{
    /// <summary>Of new questions and of summaries.</summary>
    [ConfigurationKeyName(RateLimits.Chat)]
    public int Chat { get; set; } = 30;

    [ConfigurationKeyName(RateLimits.Search)]
    public int Search { get; set; } = 120;
}
