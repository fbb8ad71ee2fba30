using System.Runtime.CompilerServices;
using System.Text.Json;
using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.OpenApi;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.Options;
using JsonOptions = Microsoft.AspNetCore.Http.Json.JsonOptions;

namespace ChatBackend.Features.Ingest;

internal static class GetIngestJobEvents
{
    private const string End = "end";

    public static void MapGetIngestJobEvents(this IEndpointRouteBuilder ingest) => ingest
        .MapGet("/jobs/{id}/events", HandleAsync)
        .WithName(nameof(GetIngestJobEvents))
        .RequireUuid()
        .FailsWith(StatusCodes.Status404NotFound, "ingest_job_not_found");

    /// <summary>An ingest job's progress, as events</summary>
    /// <remarks>
    /// <c>progress</c> whenever the job has changed, and <c>ended</c> at its end; the data of each is the job, as <c>GET /ingest/jobs/{id}</c> returns it.
    /// </remarks>
    /// <param name="id">The job's id.</param>
    /// <response code="200">The stream.</response>
    /// <response code="204">The end was received: an EventSource does not reconnect.</response>
    /// <response code="400">The id is no UUID.</response>
    /// <response code="404">There is no such job.</response>
    internal static async Task<Results<ServerSentEvents, NoContent, ProblemHttpResult>> HandleAsync(
        string id, [FromHeader(Name = "Last-Event-ID"), System.ComponentModel.Description("The id of the last event that was received.")] string? lastEventId,
        JobStatus jobs, JobLoop loop, IOptions<JsonOptions> json, TimeProvider time, CancellationToken cancellationToken)
    {
        var jobId = Guid.Parse(id);
        if (await jobs.FindAsync(jobId, cancellationToken) is not { } job)
            return GetIngestJob.Unknown();
        if (job.IsEnded && lastEventId == End)
            return TypedResults.NoContent();
        loop.Nudge();
        return new ServerSentEvents(FollowAsync(job, jobs, json.Value.SerializerOptions, time, cancellationToken));
    }

    private static async IAsyncEnumerable<ServerSentEvent> FollowAsync(
        IngestJobResponse job, JobStatus jobs, JsonSerializerOptions json, TimeProvider time, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var (number, sent) = (0, "");
        while (true)
        {
            var data = JsonSerializer.Serialize(job, json);
            if (job.IsEnded)
            {
                yield return new(End, "ended", data);
                yield break;
            }

            if (data != sent)
                yield return new($"{++number}", "progress", sent = data);
            await Task.Delay(JobStatus.Poll, time, cancellationToken);
            if (await TryFindAsync(jobs, job.Id, cancellationToken) is not { } next)
                yield break;
            job = next;
        }
    }

    /// <summary>Null while the database is unavailable: the stream ends, and the client connects again.</summary>
    private static async Task<IngestJobResponse?> TryFindAsync(JobStatus jobs, Guid id, CancellationToken cancellationToken)
    {
        try
        {
            return await jobs.FindAsync(id, cancellationToken);
        }
        catch (Exception e) when (e.IsDatabaseUnavailable())
        {
            return null;
        }
    }
}
