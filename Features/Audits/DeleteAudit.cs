using System.ComponentModel;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Npgsql;

namespace ChatBackend.Features.Audits;

internal static class DeleteAudit
{
    public static void MapDeleteAudit(this IEndpointRouteBuilder audit) => audit
        .MapDelete("", HandleAsync)
        .WithName(nameof(DeleteAudit))
        .FailsWith(StatusCodes.Status412PreconditionFailed, "precondition_failed");

    /// <summary>Delete an audit record</summary>
    /// <param name="id">The record's id.</param>
    /// <response code="204">The record is gone.</response>
    /// <response code="400">The id is no UUID.</response>
    /// <response code="404">There is no such record.</response>
    /// <response code="412">The record has changed since; it is still there.</response>
    internal static async Task<Results<NoContent, ProblemHttpResult>> HandleAsync(
        string id, [FromHeader(Name = "If-Match"), Description(IfMatch.Description)] string? ifMatch, NpgsqlDataSource db, CancellationToken cancellationToken)
    {
        // Checked first: a retry that finds nothing to delete must know whether the record existed.
        if (!await AuditsFeature.ExistsAsync(db, id, cancellationToken))
            return AuditsFeature.Unknown();

        var versions = IfMatch.Versions(ifMatch);
        var tries = 0;
        var deleted = await db.RetryAsync(
            connection =>
            {
                tries++;
                return connection.ExecuteAsync(new(
                    "delete from audit where id = @id::uuid and (@versions::integer[] is null or version = any (@versions))",
                    new { id, versions }, cancellationToken: cancellationToken));
            },
            cancellationToken);

        if (deleted == 0 && await AuditsFeature.ExistsAsync(db, id, cancellationToken))
            return IfMatch.Failed();
        // If a retry finds no record, the first try deleted it and only its reply was lost.
        return deleted == 1 || tries > 1 ? TypedResults.NoContent() : AuditsFeature.Unknown();
    }
}
