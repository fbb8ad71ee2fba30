using ChatBackend.Features.Ingest.Progress;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http.Problems;
using Dapper;
using Npgsql;

namespace ChatBackend.Features.Ingest.Jobs;

/// <param name="Attempt">Counts the owners, from 1; only the latest may end the job.</param>
/// <param name="Stalls">How many processes died with the job since it last ingested a document.</param>
internal sealed record ClaimedJob(Guid Id, bool Prune, bool Plan, int Attempt, int Stalls, bool IsCancelled, IngestReport Report);

/// <param name="IsCancelled">Whether the job is to be cancelled.</param>
/// <param name="Failed">How many failed documents are saved.</param>
/// <param name="Warnings">How many warnings are saved.</param>
internal sealed record Renewal(bool IsCancelled, int Failed, int Warnings);

internal enum Claim
{
    Claimed,

    /// <summary>Another process runs a job.</summary>
    Busy,

    /// <summary>There is no job.</summary>
    Idle,
}

/// <summary>Claims, renews and ends jobs. An attempt that lost its job to a later one changes nothing.</summary>
internal static class JobLeases
{
    /// <summary>"ingestin" in ASCII: the key of the advisory lock under which jobs are claimed. Whoever holds it keeps jobs from beginning.</summary>
    public const long IndexLock = 0x696E67657374696E;

    public static async Task<(Claim Claim, ClaimedJob? Job)> ClaimAsync(NpgsqlDataSource database, Guid process, TimeSpan lease, CancellationToken cancellationToken)
    {
        try
        {
            var (row, isOpen) = await database.RetryAsync(
                async connection =>
                {
                    // A process claims only when it runs nothing, so a job that it has already is one whose reply was lost.
                    await using var results = await connection.QueryMultipleAsync(new(
                        """
                        select pg_advisory_xact_lock(@IndexLock) is null;

                        update ingest_jobs
                        set state = 'running', attempt = attempt + 1, lease_owner = @process, lease_until = now() + @lease,
                            stalls = stalls + (state = 'running' and lease_owner is not null and lease_owner <> @process)::integer,
                            started_at = coalesce(started_at, now()), failed = '[]'
                        where id = (
                                select id from ingest_jobs
                                where state in ('waiting', 'running')
                                order by (state = 'running') desc, queued_at, id
                                limit 1
                                for update
                            )
                            and (state = 'waiting' or lease_until < now() or lease_owner = @process)
                        returning id, prune, plan, attempt, stalls, cancel_requested as is_cancelled,
                                  (report || jsonb_build_object('skipped', skipped, 'failed', failed, 'warnings', warnings))::text as report;

                        select exists (select from ingest_jobs where state in ('waiting', 'running'));
                        """,
                        new { process, lease, IndexLock }, cancellationToken: cancellationToken));
                    await results.ReadSingleAsync<bool>();
                    return (await results.ReadSingleOrDefaultAsync<Row>(), await results.ReadSingleAsync<bool>());
                },
                cancellationToken);

            return row is null
                ? (isOpen ? Claim.Busy : Claim.Idle, null)
                : (Claim.Claimed, new(row.Id, row.Prune, row.Plan, row.Attempt, row.Stalls, row.IsCancelled, IngestJson.Read<IngestReport>(row.Report)));
        }
        catch (PostgresException e) when (e.ConstraintName == "ingest_jobs_running")
        {
            return (Claim.Busy, null);
        }
    }

    /// <summary>Also saves the report; of its lists only what is new.</summary>
    /// <param name="saved">How many failed documents and warnings are saved already, by the last renewal.</param>
    /// <returns>Null if the job no longer belongs to this process.</returns>
    public static Task<Renewal?> RenewAsync(
        NpgsqlDataSource database, ClaimedJob job, Guid process, TimeSpan lease, IngestReport report, (int Failed, int Warnings) saved, bool isMoving,
        CancellationToken cancellationToken) => database.RetryAsync(
        connection => connection.QuerySingleOrDefaultAsync<Renewal>(new(
            // A list that is longer than it was known to be has got the new part by a try whose reply was lost.
            """
            update ingest_jobs
            set lease_until = now() + @lease, report = @report::jsonb, stalls = case when @isMoving then 0 else stalls end,
                failed = case when @failed is not null and jsonb_array_length(failed) = @savedFailed then failed || @failed::jsonb else failed end,
                warnings = case when @warnings is not null and jsonb_array_length(warnings) = @savedWarnings then warnings || @warnings::jsonb else warnings end
            where id = @Id and attempt = @Attempt and lease_owner = @process and state = 'running'
            returning cancel_requested as is_cancelled, jsonb_array_length(failed) as failed, jsonb_array_length(warnings) as warnings
            """,
            new
            {
                job.Id,
                job.Attempt,
                process,
                lease,
                isMoving,
                report = IngestJson.Write(report.WithoutLists()),
                savedFailed = saved.Failed,
                failed = After(report.Failed, saved.Failed),
                savedWarnings = saved.Warnings,
                warnings = After(report.Warnings, saved.Warnings),
            },
            cancellationToken: cancellationToken)),
        cancellationToken);

    /// <param name="state">completed, failed or cancelled.</param>
    public static Task<int> EndAsync(
        NpgsqlDataSource database, ClaimedJob job, string state, IngestReport report, Failure? error, CancellationToken cancellationToken) => database.RetryAsync(
        connection => connection.ExecuteAsync(new(
            """
            with ended as (
                update ingest_jobs
                set state = @state::ingest_job_state, report = @report::jsonb, failed = @failed::jsonb, warnings = @warnings::jsonb, error = @error::json,
                    ended_at = now(), lease_owner = null, lease_until = null
                where id = @Id and attempt = @Attempt and state = 'running'
                returning id
            )
            delete from ingest_job_documents where job_id in (select id from ended)
            """,
            new
            {
                job.Id,
                job.Attempt,
                state,
                report = IngestJson.Write(report.WithoutLists()),
                failed = IngestJson.Write(report.Failed),
                warnings = IngestJson.Write(report.Warnings),
                error = error is null ? null : IngestJson.Write(error),
            },
            cancellationToken: cancellationToken)),
        cancellationToken);

    /// <summary>The job has no owner then, so its stalls do not grow: no process died with it.</summary>
    public static Task<int> ReleaseAsync(NpgsqlDataSource database, Guid process, CancellationToken cancellationToken) => database.RetryAsync(
        connection => connection.ExecuteAsync(new(
            "update ingest_jobs set lease_owner = null, lease_until = now() - interval '1 second' where lease_owner = @process and state = 'running'",
            new { process }, cancellationToken: cancellationToken)),
        cancellationToken);

    /// <summary>The part of a list that is not saved, as JSON; null if there is none.</summary>
    private static string? After(IReadOnlyList<FailedDocument> list, int saved) => list.Count > saved ? IngestJson.Write(list.Skip(saved)) : null;

    private sealed record Row(Guid Id, bool Prune, bool Plan, int Attempt, int Stalls, bool IsCancelled, string Report);
}
