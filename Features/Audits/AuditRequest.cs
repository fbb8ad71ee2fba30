using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;

namespace ChatBackend.Features.Audits;

/// <summary>An audit as a client writes it: whole, to create or to replace one.</summary>
internal sealed record AuditRequest
{
    /// <summary>What was audited, in a line: 1 to 200 characters.</summary>
    /// <example>Torque check of the left knee</example>
    [Required, StringLength(AuditRules.TitleLength, MinimumLength = 1)]
    public string? Title { get; init; }

    /// <summary>How far it is; <c>pending</c> by default.</summary>
    /// <example>completed</example>
    [AllowedValues("pending", "in_progress", "completed", "failed")]
    [DefaultValue("pending")]
    public string? Status { get; init; }

    /// <summary>The result, from 0 to 100.</summary>
    /// <example>92.5</example>
    [Range(0, 100)]
    public decimal? Score { get; init; }

    /// <summary>The result in words, to 2,000 characters; a model can write it from the details.</summary>
    /// <example>All joints hold their torque; the left knee runs warm.</example>
    [StringLength(AuditRules.SummaryLength)]
    public string? Summary { get; init; }

    /// <summary>
    /// Any JSON object, to 64 KiB with its numbers written out and 32 levels deep; <c>{}</c> by default. Its values come back
    /// the same, numbers with every digit. The order of keys is not kept, and of duplicate keys the last one counts.
    /// </summary>
    /// <example>{"joint":"knee_left","torque_nm":[41.2,40.9],"firmware":"2.4.1"}</example>
    public JsonElement? Details { get; init; }

    /// <summary>The values with their defaults, as the statements take them.</summary>
    internal object ToParameters(object id, int[]? versions = null, Guid? changeId = null) => new
    {
        Id = id,
        Versions = versions,
        ChangeId = changeId,
        Title,
        TitleKey = AuditRules.KeyOf(Title!),
        Status = Status ?? "pending",
        Score,
        Summary,
        Details = Details?.GetRawText() ?? "{}",
    };
}
