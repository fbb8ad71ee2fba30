using System.ComponentModel.DataAnnotations;
using ChatBackend.Features.Ingest.Progress;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Ingest.Jobs;

/// <summary>An ingest job.</summary>
/// <param name="Prune">Whether documents that the upload lacks are removed from the index.</param>
/// <param name="Plan">Whether this is a dry run, which writes nothing.</param>
/// <param name="Ahead">How many jobs run before it; null unless it waits.</param>
/// <param name="SupersededBy">The upload of the whole book that took its place; null unless it is superseded.</param>
/// <param name="Report">What it has done so far.</param>
/// <param name="Error">Why it failed, as a problem; null unless it failed. What it had ingested stays in the index.</param>
/// <param name="StartedAt">When it began to run; null before that.</param>
/// <param name="EndedAt">When it ended; null before that.</param>
/// <example>{"state":"running","prune":true,"plan":false,"ahead":null,"superseded_by":null,"error":null,"ended_at":null}</example>
internal sealed record IngestJobResponse(
    Guid Id, [property: AllowedValues("waiting", "running", "completed", "failed", "cancelled", "superseded")] string State, bool Prune, bool Plan,
    int? Ahead, Guid? SupersededBy, IngestReport Report, ProblemBody? Error,
    DateTime CreatedAt, DateTime? StartedAt, DateTime? EndedAt)
{
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsEnded => EndedAt is not null;
}

/// <summary>Reads jobs; one that runs in this process with its latest report.</summary>
internal sealed class JobStatus(NpgsqlDataSource database, JobRunner runner)
{
    /// <summary>How often a job that somebody follows is read.</summary>
    public static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(250);

    /// <returns>Null if there is no such job, or it is still being uploaded.</returns>
    public async Task<IngestJobResponse?> FindAsync(Guid id, CancellationToken cancellationToken) =>
        (await ReadAsync("id = @id", new { id, limit = 1 }, cancellationToken)).SingleOrDefault();

    /// <summary>The newest jobs, newest first.</summary>
    public Task<IReadOnlyList<IngestJobResponse>> ListAsync(int limit, CancellationToken cancellationToken) =>
        ReadAsync("true", new { id = Guid.Empty, limit }, cancellationToken);

    /// <summary>Waits for a job's end; null if there is no such job.</summary>
    public async Task<IngestJobResponse?> WaitAsync(Guid id, TimeProvider time, CancellationToken cancellationToken)
    {
        while (true)
        {
            var job = await FindAsync(id, cancellationToken);
            if (job is not { IsEnded: false })
                return job;
            await Task.Delay(Poll, time, cancellationToken);
        }
    }

    private async Task<IReadOnlyList<IngestJobResponse>> ReadAsync(string condition, object parameters, CancellationToken cancellationToken)
    {
        var rows = await database.RetryAsync(
            connection => connection.QueryAsync<Row>(new(
                $"""
                select id, state::text as state, prune, plan,
                       case when state = 'waiting' then (
                           select count(*)::integer from ingest_jobs as other
                           where other.state = 'running' or (other.state = 'waiting' and (other.queued_at, other.id) < (job.queued_at, job.id))
                       ) end as ahead,
                       superseded_by, (report || jsonb_build_object('skipped', skipped, 'failed', failed, 'warnings', warnings))::text as report, error::text as error, created_at, started_at, ended_at
                from ingest_jobs as job
                where state <> 'receiving' and {condition}
                order by created_at desc, id desc
                limit @limit
                """,
                parameters, cancellationToken: cancellationToken)),
            cancellationToken);
        return [.. rows.Select(row => new IngestJobResponse(
            row.Id, row.State, row.Prune, row.Plan, row.Ahead, row.SupersededBy, runner.Find(row.Id) ?? IngestJson.Read<IngestReport>(row.Report),
            row.Error is null ? null : ProblemBody.Of(IngestJson.Read<Failure>(row.Error), $"/ingest/jobs/{row.Id}"), row.CreatedAt, row.StartedAt, row.EndedAt))];
    }

    private sealed record Row(
        Guid Id, string State, bool Prune, bool Plan, int? Ahead, Guid? SupersededBy, string Report, string? Error, DateTime CreatedAt, DateTime? StartedAt, DateTime? EndedAt);
}
