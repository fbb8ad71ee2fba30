using ChatBackend.Infrastructure.Http;
using FluentValidation;

namespace ChatBackend.Features.Audits;

/// <summary>What an audit may hold.</summary>
internal sealed class AuditRules : AbstractValidator<AuditRequest>
{
    /// <summary>The longest title, in code points.</summary>
    public const int TitleLength = 200;

    /// <summary>The longest summary, in code points.</summary>
    public const int SummaryLength = 2000;

    private static readonly string[] Statuses = ["pending", "in_progress", "completed", "failed"];

    /// <summary>What to say where <see cref="IsStatus"/> says no.</summary>
    public static readonly string StatusMessage = $"status must be one of {string.Join(", ", Statuses)}.";

    public AuditRules()
    {
        RuleFor(r => r.Title)
            .NotEmpty().WithMessage("title must not be empty.")
            .Must(t => ValidationFilter.Length(t) <= TitleLength).WithMessage($"title must be {TitleLength} characters or fewer.")
            .StorableText();
        RuleFor(r => r.Status).Must(IsStatus).WithMessage(StatusMessage);
        RuleFor(r => r.Score).InclusiveBetween(0, 100).WithMessage("score must be from 0 to 100.");
        RuleFor(r => r.Summary)
            .Must(s => ValidationFilter.Length(s) <= SummaryLength).WithMessage($"summary must be {SummaryLength} characters or fewer.")
            .StorableText();
        RuleFor(r => r.Details).Custom((details, context) =>
        {
            if (details is { } json && AuditDetails.Fault(json) is { } fault)
                context.AddFailure(fault);
        });
    }

    /// <summary>True for a status, and for none.</summary>
    public static bool IsStatus(string? status) => status is null || Statuses.Contains(status);

    /// <summary>A title as it is sorted and searched: NFC, lower case, in code point order whatever the server's locale.</summary>
    /// <remarks>.NET will not normalize U+FFFE, a code point that PostgreSQL and JSON allow.</remarks>
    public static string KeyOf(string title) => title.Replace('\uFFFE', '\uFFFD').Normalize().ToLowerInvariant();
}
