using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Audits;

/// <summary>A page of audits.</summary>
/// <param name="Items">The records of this page.</param>
/// <param name="Total">Records that match, on all pages.</param>
/// <param name="Page">The page asked for.</param>
/// <param name="PageSize">Records on a page.</param>
/// <param name="Pages">Pages there are; 0 when nothing matches.</param>
[Example("""{"total":137,"page":1,"page_size":20,"pages":7}""")]
internal sealed record ListAuditsResponse(IReadOnlyList<AuditResponse> Items, long Total, int Page, int PageSize, long Pages);

/// <summary>GET /audits.</summary>
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
        var sort = request.Sort ?? "-created_at";
        var text = AuditRules.KeyOf(request.Q?.Trim() ?? "");

        // A page beyond the last one is a row of the total and no record.
        var rows = (await db.RetryAsync(
            connection => connection.QueryAsync<long, AuditResponse?, (long Total, AuditResponse? Audit)>(
                new CommandDefinition(
                    text.Length == 0 ? ListAuditsSql.All(sort, request.Status) : ListAuditsSql.Search(sort, request.Status),
                    new { request.Status, Skip = (page - 1L) * size, Size = size, Text = text },
                    cancellationToken: cancellationToken),
                (total, audit) => (total, audit)),
            cancellationToken)).AsList();

        var total = rows[0].Total;
        return TypedResults.Ok(new ListAuditsResponse([.. rows.Select(r => r.Audit).OfType<AuditResponse>()], total, page, size, (total + size - 1) / size));
    }
}
