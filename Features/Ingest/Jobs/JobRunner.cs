using ChatBackend.Features.Ingest.Progress;
using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Features.Ingest.Jobs;

/// <summary>Runs the next job in the queue and keeps its lease. It belongs to this process until it ends, is cancelled, or another process takes it over.</summary>
internal sealed class JobRunner(
    NpgsqlDataSource database, BookIngest ingest, IOptions<IngestOptions> options, IOptions<PatienceOptions> patience, TimeProvider time, ILogger<JobRunner> log)
{
    private readonly Guid _process = Guid.NewGuid();
    private volatile RunningJob? _running;

    /// <summary>The report of a job if it runs in this process.</summary>
    public IngestReport? Find(Guid jobId) => _running is { } running && running.Job.Id == jobId ? running.Progress.Report : null;

    /// <summary>Claims a job and runs it to its end; returns at once if there is none, or another process runs one.</summary>
    /// <param name="cancellationToken">Cancelled when the process stops: the next process continues the job.</param>
    public async Task<Claim> RunNextAsync(CancellationToken cancellationToken)
    {
        var asked = time.GetTimestamp();
        var (claim, job) = await JobLeases.ClaimAsync(database, _process, options.Value.Lease, cancellationToken);
        if (job is null)
            return claim;

        if (job.Attempt > 1)
            log.LogWarning("Took over ingest job {Job}, attempt {Attempt}", job.Id, job.Attempt);
        using var running = new RunningJob(job, LeftOf(asked), time, cancellationToken);
        _running = running;
        try
        {
            await RunAsync(running, cancellationToken);
        }
        finally
        {
            _running = null;
        }

        return Claim.Claimed;
    }

    private async Task RunAsync(RunningJob running, CancellationToken stopping)
    {
        var (job, progress) = (running.Job, running.Progress);
        var beating = BeatAsync(running);
        var (state, error) = ("completed", default(Failure));
        try
        {
            if (job.IsCancelled)
                state = "cancelled";
            else if (job.Stalls > IngestOptions.MaxStalls)
                // The job may be what ends each process, so the takeovers are limited.
                (state, error) = ("failed", new(StatusCodes.Status500InternalServerError, "ingest_abandoned", "The job was given up: too many processes ended while they ran it."));
            else
                await ingest.RunAsync(job, progress, running.Stopped);
        }
        catch (OperationCanceledException) when (running.Stopped.IsCancellationRequested)
        {
            state = running.IsCancelled ? "cancelled" : "";
        }
        catch (Exception e)
        {
            if (e is not FailureException)
                log.LogError(e, "Ingest job {Job} failed", job.Id);
            (state, error) = ("failed", ExceptionMapping.ToFailure(e));
        }

        await running.StopAsync();
        await beating;
        if (state.Length > 0)
            await EndAsync(job, state, progress, error, stopping);
        else if (running.IsLate)
            log.LogWarning("The lease of ingest job {Job} could not be renewed in time: it is claimed again once the database is available", job.Id);
        else if (!running.IsLost)
            await JobLeases.ReleaseAsync(database, _process, CancellationToken.None);
    }

    private async Task EndAsync(ClaimedJob job, string state, JobProgress progress, Failure? error, CancellationToken stopping)
    {
        await new Patience(patience.Value.Limit, time, progress).RunAsync(
            "the database", token => JobLeases.EndAsync(database, job, state, progress.Report with { WaitsFor = null }, error, token), stopping);
        var report = progress.Report;
        log.LogInformation(
            "Ingest job {Job} {State}: {Documents} documents, {Ingested} ingested ({Passages} passages), {Unchanged} unchanged, {Removed} removed, {Failed} failed {Code}",
            job.Id, state, report.Documents, report.Ingested, report.Passages, report.Unchanged, report.Removed, report.FailedCount, error?.Code ?? "");
        if (report.Notice is not null)
            log.LogWarning("Ingest job {Job}: {Notice}", job.Id, report.Notice);
    }

    private async Task BeatAsync(RunningJob running)
    {
        var (job, ingested) = (running.Job, 0);
        var saved = (Failed: 0, Warnings: job.Report.Warnings.Count);
        while (!running.Stopped.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(options.Value.Beat, time, running.Stopped);
                var done = running.Progress.Ingested;
                var asked = time.GetTimestamp();
                var renewal = await JobLeases.RenewAsync(database, job, _process, options.Value.Lease, running.Progress.Report, saved, done > ingested, running.Stopped);
                ingested = done;
                if (renewal is null)
                    log.LogWarning("Ingest job {Job} belongs to another process now", job.Id);
                if (renewal is not { IsCancelled: false })
                    await running.StopAsync(isLost: renewal is null);
                else
                    running.Renew(LeftOf(asked));
                if (renewal is not null)
                    saved = (renewal.Failed, renewal.Warnings);
            }
            catch (OperationCanceledException) when (running.Stopped.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // The next beat tries again. If the lease is not renewed in time, the job stops.
                log.LogWarning("The lease of ingest job {Job} could not be renewed: {Reason}", job.Id, e.GetType().Name);
            }
        }
    }

    /// <summary>How long this process may go on writing. Another process may take the job over when the lease has expired, and this one may still
    /// reach the index when it no longer reaches the database. A part of the lease is left for the write that is under way.</summary>
    /// <param name="asked">Before the lease was asked for, so that it cannot end earlier in the database.</param>
    private TimeSpan LeftOf(long asked)
    {
        var left = (options.Value.Lease * 0.8) - time.GetElapsedTime(asked);
        return left > TimeSpan.Zero ? left : TimeSpan.Zero;
    }

    private sealed class RunningJob : IDisposable
    {
        private readonly CancellationTokenSource _lease;
        private readonly CancellationTokenSource _stop;

        /// <param name="left">How long the job may run unless it is renewed.</param>
        public RunningJob(ClaimedJob job, TimeSpan left, TimeProvider time, CancellationToken stopping)
        {
            (Job, Progress, _lease) = (job, new(job.Report), new(left, time));
            _stop = CancellationTokenSource.CreateLinkedTokenSource(stopping, _lease.Token);
        }

        public ClaimedJob Job { get; }

        public JobProgress Progress { get; }

        public CancellationToken Stopped => _stop.Token;

        /// <summary>The lease was not renewed in time, so another process may have the job.</summary>
        public bool IsLate => _lease.IsCancellationRequested;

        /// <summary>Another process has the job.</summary>
        public bool IsLost { get; private set; }

        public bool IsCancelled { get; private set; }

        public void Renew(TimeSpan left) => _lease.CancelAfter(left);

        public Task StopAsync(bool isLost)
        {
            (IsLost, IsCancelled) = (isLost, !isLost);
            return StopAsync();
        }

        public Task StopAsync() => _stop.CancelAsync();

        public void Dispose()
        {
            _stop.Dispose();
            _lease.Dispose();
        }
    }
}
