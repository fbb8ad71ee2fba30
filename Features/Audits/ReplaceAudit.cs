using System.ComponentModel;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Npgsql;

namespace ChatBackend.Features.Audits;

/// <summary>PUT /audits/{id}.</summary>
internal static class ReplaceAudit
{
    public static void MapReplaceAudit(this IEndpointRouteBuilder audit) => audit
        .MapPut("", HandleAsync)
        .WithName(nameof(ReplaceAudit))
        .ProducesProblem(StatusCodes.Status412PreconditionFailed)
        .Validate<AuditRequest>();

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
        var versions = IfMatch.Versions(ifMatch);
        var parameters = request.ToParameters(id, versions);

        // The version is compared where the row is locked: of two writers with one tag, the second matches nothing.
        var audit = await db.RetryAsync(
            connection => connection.QuerySingleOrDefaultAsync<AuditResponse>(new(
                """
                update audit
                set title = @Title, title_key = @TitleKey, status = @Status::audit_status, score = @Score, summary = @Summary,
                    details = @Details::jsonb, version = version + 1, updated_at = now()
                where id = @Id::uuid and (@Versions::integer[] is null or version = any (@Versions))
                returning
                """ + " " + AuditResponse.Columns,
                parameters, cancellationToken: cancellationToken)),
            cancellationToken);
        if (audit is null)
            return await AuditsFeature.UnknownOrChangedAsync(db, id, versions, cancellationToken);

        response.SetVersion(audit.Version);
        return TypedResults.Ok(audit);
    }
}
