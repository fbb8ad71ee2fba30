using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Features.Ingest;

internal static class GetIngestJob
{
    public static void MapGetIngestJob(this IEndpointRouteBuilder jobs) => jobs
        .MapGet("/jobs/{id}", HandleAsync)
        .WithName(nameof(GetIngestJob))
        .RequireUuid()
        .FailsWith(StatusCodes.Status404NotFound, "ingest_job_not_found");

    /// <summary>An ingest job's state and report</summary>
    /// <param name="id">The job's id, from <c>POST /ingest</c>.</param>
    /// <response code="200">The job.</response>
    /// <response code="400">The id is no UUID.</response>
    /// <response code="404">There is no such job. Jobs are forgotten 30 days after their end.</response>
    internal static async Task<Results<Ok<IngestJobResponse>, ProblemHttpResult>> HandleAsync(
        string id, JobStatus jobs, JobLoop loop, CancellationToken cancellationToken)
    {
        if (await jobs.FindAsync(Guid.Parse(id), cancellationToken) is not { } job)
            return Unknown();
        if (!job.IsEnded)
            loop.Nudge();
        return TypedResults.Ok(job);
    }

    public static ProblemHttpResult Unknown() => Problem.NotFound("ingest_job_not_found", "There is no such ingest job.");
}
