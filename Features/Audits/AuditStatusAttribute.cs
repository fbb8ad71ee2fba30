using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Features.Audits;

/// <summary>The statuses of an audit: the same as in PostgreSQL's type <c>audit_status</c>.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AuditStatusAttribute() : AllowedValuesAttribute([.. All])
{
    public const string Default = "pending";

    public static readonly string[] All = [Default, "in_progress", "completed", "failed"];

    public static readonly string Message = $"status must be one of {string.Join(", ", All)}.";

    public static bool Allows(string? status) => status is null || All.Contains(status);
}
