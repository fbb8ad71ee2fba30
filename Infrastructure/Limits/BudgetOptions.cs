using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Infrastructure.Limits;

/// <summary>Tokens a day (UTC) over all replicas; 0 is no limit.</summary>
internal sealed class BudgetOptions
{
    /// <summary>The whole service's; null is no limit.</summary>
    [ConfigurationKeyName("DAILY_TOKEN_BUDGET"), Range(0, int.MaxValue)]
    public int? Service { get; set; }

    /// <summary>About a dollar of a small model.</summary>
    [ConfigurationKeyName("DAILY_TOKENS_PER_CLIENT"), Range(0, int.MaxValue)]
    public int PerClient { get; set; } = 1_000_000;

    /// <summary><c>offline</c>: when a budget is spent, the book is quoted. Null: 429.</summary>
    [ConfigurationKeyName("BUDGET_FALLBACK")]
    public string? Fallback { get; set; }
}
