using System.ComponentModel.DataAnnotations;

namespace ChatBackend.Features.Audits;

/// <summary>The statuses of an audit, for the validators and the description. PostgreSQL's type <c>audit_status</c> has the same.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class AuditStatusAttribute() : AllowedValuesAttribute([.. All])
{
    public const string Default = "pending";

    public static readonly string[] All = [Default, "in_progress", "completed", "failed"];

    /// <summary>What to say where <see cref="Allows"/> says no.</summary>
    public static readonly string Message = $"status must be one of {string.Join(", ", All)}.";

    /// <summary>True for a status, and for none.</summary>
    public static bool Allows(string? status) => status is null || All.Contains(status);
}
