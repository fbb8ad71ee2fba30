using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using FluentValidation;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Audits;

internal static class AuditsFeature
{
    public static void AddAudits(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<IValidator<AuditRequest>, AuditRequestValidator>();
        builder.Services.AddSingleton<IValidator<ListAuditsRequest>, ListAuditsRequestValidator>();
    }

    public static void MapAudits(this IEndpointRouteBuilder routes)
    {
        if (routes.ServiceProvider.GetRequiredService<IConfiguration>()["AUDITS"] == "off")
            return;

        // No sign-in is needed, and only a call to the model counts towards a rate limit.
        var audits = routes.MapFeature("/audits", "Audits");
        audits.MapCreateAudit();
        audits.MapListAudits();

        var audit = audits.MapGroup("/{id}").RequireUuid().FailsWith(StatusCodes.Status404NotFound, "audit_not_found");
        audit.MapGetAudit();
        audit.MapReplaceAudit();
        audit.MapPatchAudit();
        audit.MapDeleteAudit();
        audit.MapSummarizeAudit();
    }

    public static ProblemHttpResult Unknown() => Problem.NotFound("audit_not_found", "There is no audit with this id.");

    public static Task<bool> ExistsAsync(NpgsqlDataSource db, string id, CancellationToken cancellationToken) => db.RetryAsync(
        connection => connection.ExecuteScalarAsync<bool>(new(
            "select exists (select from audit where id = @id::uuid)", new { id }, cancellationToken: cancellationToken)),
        cancellationToken);
}
