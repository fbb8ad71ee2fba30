using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ChatBackend.Infrastructure.Http;
using FluentValidation;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Audits;

/// <summary>Which page of which audits. Numbers arrive as text, so that a problem can name the field that is none.</summary>
internal sealed record ListAuditsRequest
{
    /// <summary>The page, from 1; beyond the last one there are no items.</summary>
    [FromQuery(Name = "page"), Range(1, int.MaxValue), DefaultValue(1)]
    public string? Page { get; init; }

    /// <summary>Records on a page.</summary>
    [FromQuery(Name = "page_size"), Range(1, 50), DefaultValue(20)]
    public string? PageSize { get; init; }

    /// <summary>Only records of this status.</summary>
    [FromQuery(Name = "status"), AllowedValues("pending", "in_progress", "completed", "failed")]
    public string? Status { get; init; }

    /// <summary>The order; the id decides between equals. Titles go by code point of their lower case.</summary>
    [FromQuery(Name = "sort"), AllowedValues("created_at", "-created_at", "title", "-title"), DefaultValue("-created_at")]
    public string? Sort { get; init; }

    /// <summary>Only records whose title holds this text, upper or lower case.</summary>
    [FromQuery(Name = "q"), StringLength(AuditRules.TitleLength)]
    public string? Q { get; init; }
}

/// <summary>What a list may be asked for.</summary>
internal sealed class ListAuditsRules : AbstractValidator<ListAuditsRequest>
{
    public ListAuditsRules()
    {
        RuleFor(r => r.Page).Must(p => p is null || int.TryParse(p, out var n) && n >= 1).WithMessage("must be a whole number from 1.");
        RuleFor(r => r.PageSize).Must(p => p is null || int.TryParse(p, out var n) && n is >= 1 and <= 50).WithMessage("must be a whole number from 1 to 50.");
        RuleFor(r => r.Status).Must(AuditRules.IsStatus).WithMessage("must be one of pending, in_progress, completed, failed.");
        RuleFor(r => r.Sort).Must(s => s is null or "created_at" or "-created_at" or "title" or "-title").WithMessage("must be one of created_at, -created_at, title, -title.");
        RuleFor(r => r.Q).MaximumLength(AuditRules.TitleLength).StorableText();
    }
}
