using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using ChatBackend.Infrastructure.Http;
using FluentValidation;

namespace ChatBackend.Features.Audits;

/// <summary>An audit as a client writes it: whole, to create or to replace one.</summary>
internal sealed record AuditRequest
{
    // Both lengths are in code points.
    public const int MaxTitleLength = 200;

    public const int MaxSummaryLength = 2000;

    /// <summary>What was audited, in a line: 1 to 200 characters.</summary>
    /// <example>Torque check of the left knee</example>
    [Required, StringLength(MaxTitleLength, MinimumLength = 1)]
    public string? Title { get; init; }

    /// <summary>How far it is; <c>pending</c> by default.</summary>
    /// <example>completed</example>
    [AuditStatus, DefaultValue(AuditStatusAttribute.Default)]
    public string? Status { get; init; }

    /// <summary>The result, from 0 to 100.</summary>
    /// <example>92.5</example>
    [Range(0, 100)]
    public decimal? Score { get; init; }

    /// <summary>The result in words, to 2,000 characters; a model can write it from the details.</summary>
    /// <example>All joints hold their torque; the left knee runs warm.</example>
    [StringLength(MaxSummaryLength)]
    public string? Summary { get; init; }

    /// <summary>
    /// Any JSON object, up to 64 KiB with its numbers written out and 32 levels deep; <c>{}</c> by default. Its values come back
    /// unchanged, numbers with every digit. The order of keys is not kept. Of duplicate keys, the last one counts.
    /// </summary>
    /// <example>{"joint":"knee_left","torque_nm":[41.2,40.9],"firmware":"2.4.1"}</example>
    public JsonElement? Details { get; init; }

    internal object ToParameters(object id, int[]? versions = null, Guid? changeId = null) => new
    {
        Id = id,
        Versions = versions,
        ChangeId = changeId,
        Title,
        TitleKey = TitleKeyOf(Title!),
        Status = Status ?? AuditStatusAttribute.Default,
        Score,
        Summary,
        Details = Details?.GetRawText() ?? "{}",
    };

    /// <summary>For sorting and searching whatever the server's locale is. .NET does not normalize U+FFFE, which PostgreSQL and JSON allow.</summary>
    internal static string TitleKeyOf(string title) => title.Replace('\uFFFE', '\uFFFD').Normalize().ToLowerInvariant();
}

internal sealed class AuditRequestValidator : AbstractValidator<AuditRequest>
{
    public AuditRequestValidator()
    {
        RuleFor(r => r.Title)
            .NotEmpty().WithMessage("title must not be empty.")
            .Must(t => ValidationFilter.Length(t) <= AuditRequest.MaxTitleLength).WithMessage($"title must be {AuditRequest.MaxTitleLength} characters or fewer.")
            .StorableText();
        RuleFor(r => r.Status).Must(AuditStatusAttribute.Allows).WithMessage(AuditStatusAttribute.Message);
        RuleFor(r => r.Score).InclusiveBetween(0, 100).WithMessage("score must be from 0 to 100.");
        RuleFor(r => r.Summary)
            .Must(s => ValidationFilter.Length(s) <= AuditRequest.MaxSummaryLength).WithMessage($"summary must be {AuditRequest.MaxSummaryLength} characters or fewer.")
            .StorableText();
        RuleFor(r => r.Details).Custom((details, context) =>
        {
            if (details is { } json && AuditDetails.Fault(json) is { } fault)
                context.AddFailure(fault);
        });
    }
}
