using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ChatBackend.Infrastructure.Http;
using FluentValidation;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Audits;

/// <summary>
/// Which page of which audits.
/// Numbers arrive as text, so that a problem can name the field that is none; attributes are what OpenAPI shows.
/// </summary>
internal sealed record ListAuditsRequest
{
    [FromQuery(Name = "page"), Range(1, int.MaxValue), DefaultValue("1")]
    [Description("The page, from 1; beyond the last one there are no items.")]
    public string? Page { get; init; }

    [FromQuery(Name = "page_size"), Range(1, 50), DefaultValue("20")]
    [Description("Records on a page.")]
    public string? PageSize { get; init; }

    [FromQuery(Name = "status"), AllowedValues("pending", "in_progress", "completed", "failed")]
    [Description("Only records of this status.")]
    public string? Status { get; init; }

    [FromQuery(Name = "sort"), AllowedValues("created_at", "-created_at", "title", "-title"), DefaultValue("-created_at")]
    [Description("The order; the id decides between equals. Titles go by code point of their lower case.")]
    public string? Sort { get; init; }

    [FromQuery(Name = "q"), StringLength(AuditRules.TitleLength)]
    [Description("Only records whose title holds this text, upper or lower case.")]
    public string? Q { get; init; }
}

/// <summary>What a list may be asked for.</summary>
internal sealed class ListAuditsRules : AbstractValidator<ListAuditsRequest>
{
    public ListAuditsRules()
    {
        RuleFor(r => r.Page).Must(p => p is null || int.TryParse(p, out var n) && n >= 1)
            .WithMessage("page must be a whole number from 1.");
        RuleFor(r => r.PageSize).Must(p => p is null || int.TryParse(p, out var n) && n is >= 1 and <= 50)
            .WithMessage("page_size must be a whole number from 1 to 50.");
        RuleFor(r => r.Status).Must(AuditRules.IsStatus).WithMessage(AuditRules.StatusMessage);
        RuleFor(r => r.Sort).Must(s => s is null or "created_at" or "-created_at" or "title" or "-title")
            .WithMessage("sort must be one of created_at, -created_at, title, -title.");
        RuleFor(r => r.Q).Must(q => ValidationFilter.Length(q) <= AuditRules.TitleLength)
            .WithMessage($"q must be {AuditRules.TitleLength} characters or fewer.").StorableText();
    }
}
