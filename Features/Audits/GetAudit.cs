using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Audits;

internal static class GetAudit
{
    public static void MapGetAudit(this IEndpointRouteBuilder audit) => audit
        .MapGet("", HandleAsync)
        .WithName(nameof(GetAudit))
        .AnswersWithVersion();

    /// <summary>Read an audit record</summary>
    /// <param name="id">The record's id.</param>
    /// <response code="200">The record, its version in ETag.</response>
    /// <response code="400">The id is no UUID.</response>
    /// <response code="404">There is no such record.</response>
    internal static async Task<Results<Ok<AuditResponse>, ProblemHttpResult>> HandleAsync(
        string id, NpgsqlDataSource db, HttpResponse response, CancellationToken cancellationToken)
    {
        var audit = await db.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<AuditResponse>(new(
                $"select {AuditResponse.Columns} from audit where id = @id::uuid",
                new { id }, cancellationToken: cancellationToken)),
            cancellationToken);
        if (audit is null)
            return AuditsFeature.Unknown();

        response.SetVersion(audit.Version);
        return TypedResults.Ok(audit);
    }
}
