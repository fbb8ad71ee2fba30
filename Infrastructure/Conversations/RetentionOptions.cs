using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Infrastructure.Conversations;

internal sealed class RetentionOptions
{
    /// <summary>How long a conversation is kept after its last question; null is for ever.</summary>
    [ConfigurationKeyName("RETENTION_DAYS"), Range(1, 36_500)]
    public int? Days { get; set; }
}
