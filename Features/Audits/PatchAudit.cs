using System.ComponentModel;
using System.Text.Json;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Json;
using ChatBackend.Infrastructure.Http.OpenApi;
using Dapper;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using Npgsql;
using JsonOptions = Microsoft.AspNetCore.Http.Json.JsonOptions;

namespace ChatBackend.Features.Audits;

internal static class PatchAudit
{
    public static void MapPatchAudit(this IEndpointRouteBuilder audit) => audit
        .MapPatch("", HandleAsync)
        .WithName(nameof(PatchAudit))
        .AcceptsMergePatch<AuditRequest>()
        .FailsWith(StatusCodes.Status412PreconditionFailed, "precondition_failed")
        .AnswersWithVersion();

    /// <summary>Change parts of an audit record</summary>
    /// <remarks>A JSON merge patch (RFC 7396): what is left out stays, null removes (or sets the default), and objects in details are merged.</remarks>
    /// <param name="id">The record's id.</param>
    /// <response code="200">The record, its new version in ETag.</response>
    /// <response code="400">The id is no UUID, the patch is no object, or a field would not be valid; <c>errors</c> names it.</response>
    /// <response code="404">There is no such record.</response>
    /// <response code="412">The record has changed since; nothing was written.</response>
    internal static async Task<Results<Ok<AuditResponse>, ProblemHttpResult>> HandleAsync(
        string id, JsonElement patch, [FromHeader(Name = "If-Match"), Description(IfMatch.Description)] string? ifMatch,
        NpgsqlDataSource db, IValidator<AuditRequest> rules, IOptions<JsonOptions> json, HttpResponse response, CancellationToken cancellationToken)
    {
        if (MergePatch.Fault(patch) is { } fault)
            return fault;
        var versions = IfMatch.Versions(ifMatch);

        // After a concurrent write the update matches nothing. Merging again keeps changes to other parts.
        while (true)
        {
            var before = await db.RetryAsync(
                connection => connection.QuerySingleOrDefaultAsync<AuditResponse>(new(
                    $"select {AuditResponse.Columns} from audit where id = @id::uuid", new { id }, cancellationToken: cancellationToken)),
                cancellationToken);
            if (before is null)
                return AuditsFeature.Unknown();
            if (versions?.Contains(before.Version) is false)
                return IfMatch.Failed();

            var request = MergePatch.Apply<AuditResponse, AuditRequest>(before, patch, json.Value.SerializerOptions);
            if (await rules.ValidateAsync(request, cancellationToken) is { IsValid: false } result)
                return ValidationFilter.Invalid(result);

            if (await ReplaceAudit.StoreAsync(db, id, request, [before.Version], cancellationToken) is { } audit)
            {
                response.SetVersion(audit.Version);
                return TypedResults.Ok(audit);
            }
        }
    }
}
