using ChatBackend.Features.Ingest.Jobs;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Features.Ingest;

/// <summary>Ingest jobs.</summary>
/// <param name="Jobs">At most 50, newest first, without the lists of documents in their reports.</param>
internal sealed record ListIngestJobsResponse(IReadOnlyList<IngestJobResponse> Jobs);

internal static class ListIngestJobs
{
    private const int Limit = 50;

    public static void MapListIngestJobs(this IEndpointRouteBuilder ingest) => ingest.MapGet("/jobs", HandleAsync).WithName(nameof(ListIngestJobs));

    /// <summary>The newest ingest jobs</summary>
    /// <response code="200">The jobs.</response>
    internal static async Task<Ok<ListIngestJobsResponse>> HandleAsync(JobStatus jobs, CancellationToken cancellationToken) => TypedResults.Ok(new ListIngestJobsResponse(
        [.. (await jobs.ListAsync(Limit, cancellationToken)).Select(job => job with { Report = job.Report with { Failed = [], Skipped = [] } })]));
}
