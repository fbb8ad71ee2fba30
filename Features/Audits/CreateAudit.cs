using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Audits;

internal static class CreateAudit
{
    public static void MapCreateAudit(this IEndpointRouteBuilder audits) => audits
        .MapPost("", HandleAsync)
        .WithName(nameof(CreateAudit))
        .Validate<AuditRequest>()
        .AnswersWithHeader("Location", "Where the new record is.")
        .AnswersWithVersion();

    /// <summary>Create an audit record</summary>
    /// <response code="201">The record, its address in Location and its version in ETag.</response>
    /// <response code="400">A field is not valid; <c>errors</c> names it.</response>
    internal static async Task<Created<AuditResponse>> HandleAsync(
        AuditRequest request, NpgsqlDataSource db, HttpResponse response, CancellationToken cancellationToken)
    {
        // The id is generated once, so a retry after a lost reply finds the record and changes nothing.
        var parameters = request.ToParameters(Guid.CreateVersion7());
        var audit = await db.RetryAsync(
            connection => connection.QuerySingleAsync<AuditResponse>(new(
                $"""
                insert into audit (id, title, title_key, status, score, summary, details)
                values (@Id, @Title, @TitleKey, @Status::audit_status, @Score, @Summary, @Details::jsonb)
                on conflict (id) do update set id = excluded.id
                returning {AuditResponse.Columns}
                """,
                parameters, cancellationToken: cancellationToken)),
            cancellationToken);

        response.SetVersion(audit.Version);
        return TypedResults.Created($"/audits/{audit.Id}", audit);
    }
}
