using System.Threading.RateLimiting;
using ChatBackend.Infrastructure.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Features.Audits;

/// <summary>POST /audits/{id}/summary.</summary>
internal static class SummarizeAudit
{
    public static void MapSummarizeAudit(this IEndpointRouteBuilder audit) => audit
        .MapPost("/summary", HandleAsync)
        .WithName(nameof(SummarizeAudit))
        .FailsWith(StatusCodes.Status409Conflict, "audit_changed")
        .FailsWith(StatusCodes.Status429TooManyRequests, "rate_limited");

    /// <summary>Have a model summarize an audit record</summary>
    /// <remarks>
    /// The model reads title and details; its summary, to 2,000 characters, is stored in the record. Those who ask while
    /// it reads get the same summary: it is asked once. Without a model the summary lists the details' values.
    /// Each request counts towards the chat's rate limit.
    /// </remarks>
    /// <param name="id">The record's id.</param>
    /// <response code="200">The record with its new summary, its new version in ETag.</response>
    /// <response code="400">The id is no UUID.</response>
    /// <response code="404">There is no such record.</response>
    /// <response code="409">The details were changed while the model read them; nothing was written.</response>
    /// <response code="429">Too many requests to the model from this client; Retry-After says when to come back.</response>
    /// <response code="500">The model failed; nothing was written.</response>
    /// <response code="503">The model or the database is away; nothing was written.</response>
    internal static async Task<Results<Ok<AuditResponse>, ProblemHttpResult>> HandleAsync(
        string id, AuditSummarizer summarizer, HttpContext context,
        [FromKeyedServices(RateLimits.Chat)] PartitionedRateLimiter<HttpContext> limit, CancellationToken cancellationToken)
    {
        using var lease = limit.AttemptAcquire(context);
        if (!lease.IsAcquired)
            return RateLimits.Refuse(context, lease);

        var (outcome, audit) = await summarizer.SummarizeAsync(Guid.Parse(id), cancellationToken);
        if (outcome is SummaryOutcome.Unknown)
            return AuditsFeature.Unknown();
        if (outcome is SummaryOutcome.DetailsChanged)
            return Problems.Problem(StatusCodes.Status409Conflict, "audit_changed", "The details were changed while the model read them. Ask again.");

        context.Response.SetVersion(audit!.Version);
        return TypedResults.Ok(audit);
    }
}
