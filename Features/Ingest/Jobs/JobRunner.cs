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
        var (claim, job) = await JobLeases.ClaimAsync(database, _process, options.Value.Lease, cancellationToken);
        if (job is null)
            return claim;

        if (job.Attempt > 1)
            log.LogWarning("Took over ingest job {Job}, attempt {Attempt}", job.Id, job.Attempt);
        using var running = new RunningJob(job, cancellationToken);
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
    }

    private async Task BeatAsync(RunningJob running)
    {
        var (job, ingested) = (running.Job, 0);
        while (!running.Stopped.IsCancellationRequested)
        {
            try
            {
                await Task.Delay(options.Value.Beat, time, running.Stopped);
                var done = running.Progress.Ingested;
                var isCancelled = await JobLeases.RenewAsync(database, job, _process, options.Value.Lease, running.Progress.Report, done > ingested, running.Stopped);
                ingested = done;
                if (isCancelled is null)
                    log.LogWarning("Ingest job {Job} belongs to another process now", job.Id);
                if (isCancelled is not false)
                    await running.StopAsync(isLost: isCancelled is null);
            }
            catch (OperationCanceledException) when (running.Stopped.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // The next beat tries again. Nobody can take the job over while the database is unavailable.
                log.LogWarning("The lease of ingest job {Job} could not be renewed: {Reason}", job.Id, e.GetType().Name);
            }
        }
    }

    private sealed class RunningJob(ClaimedJob job, CancellationToken stopping) : IDisposable
    {
        private readonly CancellationTokenSource _stop = CancellationTokenSource.CreateLinkedTokenSource(stopping);

        public ClaimedJob Job => job;

        public JobProgress Progress { get; } = new(job.Report);

        public CancellationToken Stopped => _stop.Token;

        /// <summary>Another process has the job.</summary>
        public bool IsLost { get; private set; }

        public bool IsCancelled { get; private set; }

        public Task StopAsync(bool isLost)
        {
            (IsLost, IsCancelled) = (isLost, !isLost);
            return StopAsync();
        }

        public Task StopAsync() => _stop.CancelAsync();

        public void Dispose() => _stop.Dispose();
    }
}
