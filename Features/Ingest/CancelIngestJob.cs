using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace ChatBackend.Features.Ingest;

internal static class CancelIngestJob
{
    public static void MapCancelIngestJob(this IEndpointRouteBuilder jobs) => jobs
        .MapDelete("/jobs/{id}", HandleAsync)
        .WithName(nameof(CancelIngestJob))
        .RequireUuid()
        .FailsWith(StatusCodes.Status404NotFound, "ingest_job_not_found")
        .FailsWith(StatusCodes.Status409Conflict, "ingest_job_ended");

    /// <summary>Cancel an ingest job</summary>
    /// <remarks>
    /// A job that waits is cancelled at once. One that runs stops within seconds: its state is <c>running</c> until then. The documents that it
    /// has ingested stay in the index. Repeating the request changes nothing.
    /// </remarks>
    /// <param name="id">The job's id.</param>
    /// <response code="200">The job.</response>
    /// <response code="400">The id is no UUID.</response>
    /// <response code="404">There is no such job.</response>
    /// <response code="409">It has ended already.</response>
    internal static async Task<Results<Ok<IngestJobResponse>, ProblemHttpResult>> HandleAsync(
        string id, NpgsqlDataSource database, JobStatus jobs, CancellationToken cancellationToken)
    {
        var jobId = Guid.Parse(id);
        await RunAsync(database, jobId, cancellationToken);
        return await jobs.FindAsync(jobId, cancellationToken) switch
        {
            null => GetIngestJob.Unknown(),
            { State: "completed" or "failed" or "superseded" } job => Problem.Of(
                StatusCodes.Status409Conflict, "ingest_job_ended", $"The job is {job.State}: there is nothing left to cancel."),
            var job => TypedResults.Ok(job),
        };
    }

    /// <summary>Cancels a job that waits, or has its runner stop. A job whose runner is dead ends when it is taken over.</summary>
    public static Task<int> RunAsync(NpgsqlDataSource database, Guid id, CancellationToken cancellationToken) => database.RetryAsync(
        connection => connection.ExecuteAsync(new(
            """
            with cancelled as (
                update ingest_jobs
                set cancel_requested = true,
                    state = case when state = 'waiting' then 'cancelled' else state end,
                    ended_at = case when state = 'waiting' then now() end
                where id = @id and state in ('waiting', 'running')
                returning id, state
            )
            delete from ingest_job_documents where job_id in (select id from cancelled where state = 'cancelled')
            """,
            new { id }, cancellationToken: cancellationToken)),
        cancellationToken);
}
