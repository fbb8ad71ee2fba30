using System.ComponentModel;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Npgsql;

namespace ChatBackend.Features.Audits;

internal static class ReplaceAudit
{
    public static void MapReplaceAudit(this IEndpointRouteBuilder audit) => audit
        .MapPut("", HandleAsync)
        .WithName(nameof(ReplaceAudit))
        .FailsWith(StatusCodes.Status412PreconditionFailed, "precondition_failed")
        .Validate<AuditRequest>()
        .AnswersWithVersion();

    /// <summary>Replace an audit record</summary>
    /// <remarks>What is left out gets its default. Without If-Match the last writer wins.</remarks>
    /// <param name="id">The record's id.</param>
    /// <response code="200">The record, its new version in ETag.</response>
    /// <response code="400">The id or a field is not valid; <c>errors</c> names it.</response>
    /// <response code="404">There is no such record; none is created.</response>
    /// <response code="412">The record has changed since; nothing was written.</response>
    internal static async Task<Results<Ok<AuditResponse>, ProblemHttpResult>> HandleAsync(
        string id, AuditRequest request, [FromHeader(Name = "If-Match"), Description(IfMatch.Description)] string? ifMatch,
        NpgsqlDataSource db, HttpResponse response, CancellationToken cancellationToken)
    {
        var audit = await StoreAsync(db, id, request, IfMatch.Versions(ifMatch), cancellationToken);
        if (audit is null)
            return await AuditsFeature.ExistsAsync(db, id, cancellationToken) ? IfMatch.Failed() : AuditsFeature.Unknown();

        response.SetVersion(audit.Version);
        return TypedResults.Ok(audit);
    }

    /// <summary>Returns null when there is no such record, or none with these versions.</summary>
    /// <remarks>The change id is generated once, so a retry after a lost reply finds it and writes nothing, even if others have written since.</remarks>
    internal static Task<AuditResponse?> StoreAsync(
        NpgsqlDataSource db, string id, AuditRequest request, int[]? versions, CancellationToken cancellationToken)
    {
        var parameters = request.ToParameters(id, versions, changeId: Guid.NewGuid());
        return db.RetryAsync(
            async connection =>
                await QueryAsync(
                    connection,
                    $"""
                    update audit
                    set title = @Title, title_key = @TitleKey, status = @Status::audit_status, score = @Score, summary = @Summary,
                        details = @Details::jsonb, version = version + 1, change_ids = (@ChangeId || change_ids)[1:8], updated_at = now()
                    where id = @Id::uuid and (@Versions::integer[] is null or version = any (@Versions)) and @ChangeId <> all (change_ids)
                    returning {AuditResponse.Columns}
                    """)
                ?? await QueryAsync(connection, $"select {AuditResponse.Columns} from audit where id = @Id::uuid and @ChangeId = any (change_ids)"),
            cancellationToken);

        Task<AuditResponse?> QueryAsync(NpgsqlConnection connection, string sql) =>
            connection.QuerySingleOrDefaultAsync<AuditResponse>(new(sql, parameters, cancellationToken: cancellationToken));
    }
}
