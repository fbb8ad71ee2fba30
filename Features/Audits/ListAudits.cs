using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using Dapper;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Npgsql;

namespace ChatBackend.Features.Audits;

/// <summary>Numbers are bound as text, so that a problem can name the field that is not a number. The attributes are for OpenAPI.</summary>
internal sealed record ListAuditsRequest
{
    [FromQuery(Name = "page"), Range(1, int.MaxValue), DefaultValue("1")]
    [Description("The page, from 1; beyond the last one there are no items.")]
    public string? Page { get; init; }

    [FromQuery(Name = "page_size"), Range(1, 50), DefaultValue("20")]
    [Description("Records on a page.")]
    public string? PageSize { get; init; }

    [FromQuery(Name = "status"), AuditStatus]
    [Description("Only records of this status.")]
    public string? Status { get; init; }

    [FromQuery(Name = "sort"), AllowedValues("created_at", "-created_at", "title", "-title"), DefaultValue("-created_at")]
    [Description("The order; the id decides between equals. Titles go by code point of their lower case.")]
    public string? Sort { get; init; }

    [FromQuery(Name = "q"), StringLength(AuditRequest.MaxTitleLength)]
    [Description("Only records whose title holds this text, upper or lower case.")]
    public string? Q { get; init; }
}

internal sealed class ListAuditsRequestValidator : AbstractValidator<ListAuditsRequest>
{
    public ListAuditsRequestValidator()
    {
        RuleFor(r => r.Page).Must(p => p is null || int.TryParse(p, out var n) && n >= 1)
            .WithMessage("page must be a whole number from 1.");
        RuleFor(r => r.PageSize).WholeNumber("page_size", 1, 50);
        RuleFor(r => r.Status).Must(AuditStatusAttribute.Allows).WithMessage(AuditStatusAttribute.Message);
        RuleFor(r => r.Sort).Must(s => s is null or "created_at" or "-created_at" or "title" or "-title")
            .WithMessage("sort must be one of created_at, -created_at, title, -title.");
        RuleFor(r => r.Q).Must(q => ValidationFilter.Length(q) <= AuditRequest.MaxTitleLength)
            .WithMessage($"q must be {AuditRequest.MaxTitleLength} characters or fewer.").StorableText();
    }
}

/// <summary>A page of audits.</summary>
/// <param name="Items">The records of this page.</param>
/// <param name="Total">Records that match, on all pages.</param>
/// <param name="Page">The page asked for.</param>
/// <param name="PageSize">Records on a page.</param>
/// <param name="Pages">Pages there are; 0 when nothing matches.</param>
/// <example>{"total":137,"page":1,"page_size":20,"pages":7}</example>
internal sealed record ListAuditsResponse(IReadOnlyList<AuditResponse> Items, long Total, int Page, int PageSize, long Pages);

internal static class ListAudits
{
    public static void MapListAudits(this IEndpointRouteBuilder audits) => audits
        .MapGet("", HandleAsync)
        .WithName(nameof(ListAudits))
        .Validate<ListAuditsRequest>();

    /// <summary>List audit records</summary>
    /// <remarks>Newest first where no order is asked for. The total is exact, and of the same instant as the page.</remarks>
    /// <response code="200">The page.</response>
    /// <response code="400">A parameter is not valid; <c>errors</c> names it.</response>
    internal static async Task<Results<Ok<ListAuditsResponse>, ProblemHttpResult>> HandleAsync(
        [AsParameters] ListAuditsRequest request, NpgsqlDataSource db, CancellationToken cancellationToken)
    {
        var page = int.Parse(request.Page ?? "1");
        var size = int.Parse(request.PageSize ?? "20");
        var text = string.IsNullOrWhiteSpace(request.Q) ? null : AuditRequest.TitleKeyOf(request.Q.Trim());
        var order = request.Sort switch
        {
            "created_at" => "created_at, id",
            "title" => "title_key, id",
            "-title" => "title_key desc, id desc",
            _ => "created_at desc, id desc",
        };

        // Only the ids come from the index; rows are read for one page. The left join returns the total also for an empty page.
        var rows = (await db.RetryAsync(
            connection => connection.QueryAsync<long, AuditResponse?, (long Total, AuditResponse? Audit)>(
                new CommandDefinition(
                    $"""
                    with matching as not materialized (
                        select id, title_key, created_at from audit
                        where (@Status::audit_status is null or status = @Status::audit_status)
                          and (@Text::text is null or strpos(title_key, @Text) > 0)
                    ), page as (
                        select id from matching order by {order} offset @Skip limit @Size
                    )
                    select counted.total, {AuditResponse.Columns}
                    from (select count(*) as total from matching) as counted
                    left join (page join audit using (id)) on true
                    order by {order}
                    """,
                    new { request.Status, Skip = (page - 1L) * size, Size = size, Text = text },
                    cancellationToken: cancellationToken),
                (total, audit) => (total, audit)),
            cancellationToken)).AsList();

        var total = rows[0].Total;
        return TypedResults.Ok(new ListAuditsResponse([.. rows.Select(r => r.Audit).OfType<AuditResponse>()], total, page, size, (total + size - 1) / size));
    }
}
