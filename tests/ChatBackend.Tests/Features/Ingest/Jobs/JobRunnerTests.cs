using System.Collections.Concurrent;
using ChatBackend.Features.Ingest;
using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Features.Ingest.Progress;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Infrastructure.Search.Postgres;
using ChatBackend.Infrastructure.Search.Qdrant;
using ChatBackend.Tests.Infrastructure.Database;
using ChatBackend.Tests.Infrastructure.Search;
using ChatBackend.Tests.Infrastructure.Search.Qdrant;
using Dapper;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Npgsql;

namespace ChatBackend.Tests.Features.Ingest.Jobs;

/// <summary>The queue on a real PostgreSQL, as several processes use it.</summary>
public sealed class JobRunnerTests : IAsyncLifetime
{
    private static readonly TimeSpan NoLease = TimeSpan.FromSeconds(-1);

    private readonly SearchDatabase _database = new();

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => _database.InitializeAsync();

    public ValueTask DisposeAsync() => _database.DisposeAsync();

    [Fact]
    public async Task Jobs_run_one_at_a_time_over_all_processes_in_the_order_of_their_upload()
    {
        var first = await UploadAsync("a.md");
        var second = await UploadAsync("b.md");

        var (claim, job) = await ClaimAsync(Guid.NewGuid(), TimeSpan.FromMinutes(1));
        var others = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => ClaimAsync(Guid.NewGuid(), TimeSpan.FromMinutes(1))));

        Assert.Equal((Claim.Claimed, first), (claim, job!.Id));
        Assert.All(others, o => Assert.Equal((Claim.Busy, null), o));
        await JobLeases.EndAsync(_database.Connections, job, "completed", job.Report, error: null, Cancel);
        Assert.Equal(second, (await ClaimAsync(Guid.NewGuid(), TimeSpan.FromMinutes(1))).Job!.Id);
    }

    [Fact]
    public async Task Processes_that_claim_at_the_same_moment_get_one_job_between_them()
    {
        await UploadAsync("a.md");
        await UploadAsync("b.md");

        var claims = await Task.WhenAll(Enumerable.Range(0, 16).Select(_ => ClaimAsync(Guid.NewGuid(), TimeSpan.FromMinutes(1))));

        Assert.Single(claims, c => c.Claim == Claim.Claimed);
    }

    [Fact]
    public async Task A_job_whose_process_died_is_taken_over_and_the_dead_process_changes_nothing()
    {
        var id = await UploadAsync("a.md", "b.md");
        var (_, dead) = await ClaimAsync(Guid.NewGuid(), NoLease);

        Assert.Equal(Claim.Claimed, await Process().Runner.RunNextAsync(Cancel));

        Assert.Equal(0, await JobLeases.EndAsync(_database.Connections, dead!, "failed", IngestReport.Empty, error: null, Cancel));
        Assert.Null(await JobLeases.RenewAsync(_database.Connections, dead!, Guid.NewGuid(), NoLease, IngestReport.Empty, saved: default, isMoving: true, Cancel));
        var job = await FindAsync(id);
        Assert.Equal(("completed", 2), (job.State, job.Report.Ingested));
        Assert.Equal(["a.md", "b.md"], (await _database.Index.GetDocumentsAsync(Cancel)).Keys.Order());
        Assert.Equal(0, await _database.ScalarAsync<int>("select count(*)::integer from ingest_job_documents"));
    }

    [Fact]
    public async Task A_job_that_only_ends_processes_is_given_up()
    {
        var id = await UploadAsync("a.md");
        for (var i = 0; i <= IngestOptions.MaxStalls + 1; i++)
            Assert.Equal(Claim.Claimed, (await ClaimAsync(Guid.NewGuid(), NoLease)).Claim);

        await Process().Runner.RunNextAsync(Cancel);

        var job = await FindAsync(id);
        Assert.Equal(("failed", "ingest_abandoned"), (job.State, job.Error!.Code));
    }

    [Fact]
    public async Task A_job_that_is_handed_on_at_a_stop_continues_and_keeps_its_counts()
    {
        var id = await UploadAsync("a.md", "b.md", "c.md");
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(Cancel);
        var first = Process(path => path == "b.md" ? stop.CancelAsync() : Task.CompletedTask);

        await first.Runner.RunNextAsync(stop.Token);

        Assert.Equal("running", (await FindAsync(id)).State);
        Assert.Equal(Claim.Claimed, await Process().Runner.RunNextAsync(Cancel));
        var report = (await FindAsync(id)).Report;
        Assert.Equal(3, report.Ingested + report.Unchanged);
        Assert.Equal(0, await _database.ScalarAsync<int>("select stalls from ingest_jobs"));
    }

    [Fact]
    public async Task An_outage_of_the_index_is_waited_out_and_a_longer_one_fails_the_job()
    {
        var id = await UploadAsync("a.md");
        var left = 3;

        await Process(_ => left-- > 0 ? throw new SearchException(isUnavailable: true, "It is away.") : Task.CompletedTask).Runner.RunNextAsync(Cancel);

        Assert.Equal(("completed", 1, (string?)null), ((await FindAsync(id)).State, (await FindAsync(id)).Report.Ingested, (await FindAsync(id)).Report.WaitsFor));

        id = await UploadAsync("b.md");
        await Process(_ => throw new SearchException(isUnavailable: true, "It is away."), patience: 0).Runner.RunNextAsync(Cancel);
        var job = await FindAsync(id);
        Assert.Equal(("failed", "search_unavailable"), (job.State, job.Error!.Code));
    }

    [Fact]
    public async Task A_slow_embedder_fails_nothing_and_gets_smaller_batches()
    {
        var id = await UploadAsync([.. Enumerable.Range(0, 60).Select(i => $"{i}.md")]);
        var embedder = new ScriptedEmbedder(texts => texts.Count > 4 ? throw new ModelException(ModelFailure.Timeout, "Too slow.") : null);

        await Process(embedder: embedder).Runner.RunNextAsync(Cancel);

        var job = await FindAsync(id);
        Assert.Equal(("completed", 60, 60, 0), (job.State, job.Report.Ingested, job.Report.Embedded, job.Report.FailedCount));
        Assert.Equal(60, embedder.Embedded.Distinct().Count());
    }

    [Fact]
    public async Task A_quick_embedder_gets_larger_batches()
    {
        await UploadAsync([.. Enumerable.Range(0, 400).Select(i => $"{i}.md")]);
        var embedder = new ScriptedEmbedder(_ => null);

        await Process(embedder: embedder).Runner.RunNextAsync(Cancel);

        Assert.Equal(400, embedder.Embedded.Count);
        Assert.True(embedder.Sizes.Max() > 16, string.Join(' ', embedder.Sizes));
        Assert.True(embedder.Sizes.Max() <= PassageEmbedder.MaxTexts, string.Join(' ', embedder.Sizes));
    }

    [Fact]
    public async Task An_outage_of_the_embedder_is_waited_out_and_429_by_its_retry_after()
    {
        var id = await UploadAsync("a.md");
        var failures = new Queue<ModelException>([
            new(ModelFailure.Unavailable, "Refused.") { IsTransient = true },
            new(ModelFailure.Failed, "500.") { IsTransient = true },
            new(ModelFailure.RateLimited, "429.") { IsTransient = true, RetryAfter = TimeSpan.FromSeconds(1.5) },
        ]);
        var waits = new List<string?>();
        var embedder = new ScriptedEmbedder(_ => failures.TryDequeue(out var failure) ? throw failure : null);
        var process = Process(embedder: embedder);
        var started = TimeProvider.System.GetTimestamp();
        var running = process.Runner.RunNextAsync(Cancel);
        while (!running.IsCompleted)
        {
            waits.Add(process.Runner.Find(id)?.WaitsFor);
            await Task.Delay(10, Cancel);
        }

        Assert.Equal("completed", (await FindAsync(id)).State);
        Assert.Contains("the embedding model: 429.", waits);
        // Timers may fire some milliseconds early.
        Assert.True(TimeProvider.System.GetElapsedTime(started) >= TimeSpan.FromSeconds(1.4));
    }

    [Fact]
    public async Task A_text_that_the_model_refuses_costs_its_own_vector_and_is_said_once()
    {
        var asked = 0;
        var embedder = new ScriptedEmbedder(texts =>
        {
            asked += texts.Count;
            return texts.Any(t => t.Contains("bombs")) ? throw new ModelException(ModelFailure.Refused, "It refuses.") : null;
        });
        using var index = _database.Another(embedder);
        // Sections that are long enough to be passages of their own.
        string Section(string word) => $"## On {word}\n\n{string.Join(' ', Enumerable.Range(0, 80).Select(i => $"{word[0]}{i}"))} {word}.\n\n";
        var pages = new Dictionary<string, string> { ["a.md"] = Section("grippers"), ["b.md"] = Section("joints") + Section("bombs") };

        var report = await IngestAsync(pages);

        Assert.Equal((2, 0, 2), (report.Ingested, report.FailedCount, report.Embedded));
        Assert.Equal(
            new FailedDocument("b.md", "Passages without a vector, which are found by their words alone: 1. It refuses."), Assert.Single(report.Warnings));
        Assert.Contains("bombs", Assert.Single(await index.SearchAsync(new("bombs"), Cancel)).Text);
        Assert.Equal(2, await _database.ScalarAsync<long>("select count(*) from passage_vectors"));

        // Nothing to do: it is not asked again, and not said again.
        asked = 0;
        report = await IngestAsync(pages);
        Assert.Equal((2, 0, 0), (report.Unchanged, report.Warnings.Count, asked));

        pages["b.md"] += "More.";
        Assert.Single((await IngestAsync(pages)).Warnings);

        async Task<IngestReport> IngestAsync(Dictionary<string, string> book)
        {
            await using var upload = await JobUpload.OpenAsync(_database.Connections, isChecked: false, Cancel);
            foreach (var (path, text) in book)
                await upload.AddAsync(new(path, text), Cancel);
            await upload.EnqueueAsync(prune: false, plan: false, Cancel);
            await Process(embedder: embedder, postgres: index).Runner.RunNextAsync(Cancel);
            var job = await FindAsync(upload.Id);
            Assert.Equal("completed", job.State);
            return job.Report;
        }
    }

    [Fact]
    public async Task A_wrong_key_of_the_embedder_fails_the_job()
    {
        var id = await UploadAsync("d.md");
        await Process(embedder: new ScriptedEmbedder(_ => throw new ModelException(ModelFailure.Failed, "The key.") { IsSettings = true })).Runner.RunNextAsync(Cancel);
        Assert.Equal(("failed", "The key."), ((await FindAsync(id)).State, (await FindAsync(id)).Error!.Detail));
    }

    [Fact]
    public async Task A_job_that_runs_stops_when_it_is_cancelled_and_the_next_one_runs()
    {
        var id = await UploadAsync("a.md", "b.md");
        var process = Process(async _ =>
        {
            await CancelIngestJob.RunAsync(_database.Connections, id, Cancel);
            throw new SearchException(isUnavailable: true, "It waits until it is cancelled.");
        });

        await process.Runner.RunNextAsync(Cancel);

        Assert.Equal("cancelled", (await FindAsync(id)).State);
        var next = await UploadAsync("c.md");
        await Process().Runner.RunNextAsync(Cancel);
        Assert.Equal("completed", (await FindAsync(next)).State);
    }

    [Fact]
    public async Task A_process_that_loses_the_database_stops_writing_before_another_can_take_its_job_over()
    {
        var id = await UploadAsync("a.md", "b.md", "c.md");
        await using var qdrant = new SearchQdrant();
        await qdrant.InitializeAsync();
        await using var relay = new DatabaseRelay(_database.ConnectionString);
        await using var connections = NpgsqlDataSource.Create(relay.ConnectionString);
        ClaimedJob? taken = null;
        // It loses the database between two documents, and reaches Qdrant all the time.
        var cut = Process(
            async path =>
            {
                if (path != "b.md")
                    return;
                relay.Refuse();
                await Until.TrueAsync(
                    async () => (taken = (await ClaimAsync(Guid.NewGuid(), TimeSpan.FromMinutes(1))).Job) is not null, "Nobody can take the job over.");
            },
            lease: TimeSpan.FromSeconds(5), connections: connections, index: qdrant.Index);

        Assert.Equal(Claim.Claimed, await cut.Runner.RunNextAsync(Cancel));

        Assert.Equal((id, 2), (taken!.Id, taken.Attempt));
        Assert.Equal(["a.md"], (await qdrant.Another().GetDocumentsAsync(Cancel)).Keys);
    }

    [Fact]
    public async Task A_process_whose_database_comes_back_in_time_keeps_its_job()
    {
        var id = await UploadAsync("a.md", "b.md");
        await using var relay = new DatabaseRelay(_database.ConnectionString);
        await using var connections = NpgsqlDataSource.Create(relay.ConnectionString);
        var process = Process(
            async path =>
            {
                if (path != "b.md")
                    return;
                relay.Refuse();
                await Until.TrueAsync(() => relay.Refused > 0, "The lease is not renewed.");
                relay.Allow();
            },
            connections: connections);

        await process.Runner.RunNextAsync(Cancel);

        Assert.Equal(("completed", 2), ((await FindAsync(id)).State, (await FindAsync(id)).Report.Ingested));
        Assert.Equal(1, await _database.ScalarAsync<int>("select attempt from ingest_jobs"));
    }

    [Fact]
    public async Task A_renewal_saves_what_is_new_in_the_lists_and_a_lost_reply_saves_nothing_twice()
    {
        await UploadAsync("a.md");
        var process = Guid.NewGuid();
        var job = (await ClaimAsync(process, TimeSpan.FromMinutes(1))).Job!;
        FailedDocument[] failed = [new("a.md", "One."), new("b.md", "Two.")];
        var report = IngestReport.Empty with { Failed = failed[..1], FailedCount = 1, Warnings = failed };

        Assert.Equal(new(IsCancelled: false, Failed: 1, Warnings: 2), await RenewAsync(report, (0, 0)));
        Assert.Equal(new(IsCancelled: false, Failed: 1, Warnings: 2), await RenewAsync(report, (0, 0)));
        Assert.Equal(new(IsCancelled: false, Failed: 2, Warnings: 2), await RenewAsync(report with { Failed = failed }, (1, 2)));

        Assert.Equal(0, await _database.ScalarAsync<int>("select jsonb_array_length(report -> 'failed') from ingest_jobs"));
        var stored = (await FindAsync(job.Id)).Report;
        Assert.Equal(failed, stored.Failed);
        Assert.Equal(failed, stored.Warnings);

        Task<Renewal?> RenewAsync(IngestReport report, (int, int) saved) =>
            JobLeases.RenewAsync(_database.Connections, job, process, TimeSpan.FromMinutes(1), report, saved, isMoving: false, Cancel);
    }

    [Fact]
    public async Task An_idle_process_takes_a_dead_ones_job_over_as_soon_as_it_uses_the_database_for_anything()
    {
        var clock = new FakeClock();
        await using var connections = NpgsqlDataSource.Create(_database.ConnectionString);
        using var start = new DatabaseStart(
            new(NullLogger<Migrator>.Instance), new(_database.ConnectionString), TimeProvider.System, NullLogger<DatabaseStart>.Instance);
        using var loop = new JobLoop(
            connections, Process(connections: connections).Runner, start, Options.Create(new IngestOptions()), clock, NullLogger<JobLoop>.Instance);
        await start.StartAsync(Cancel);
        await loop.StartAsync(Cancel);
        await Until.TrueAsync(() => clock.IsAwaitedWithin(TimeSpan.FromHours(1)), "It does not look for jobs.");
        // Half an hour without a job makes the pause as long.
        clock.Advance(TimeSpan.FromMinutes(30));
        await Until.TrueAsync(() => clock.IsAwaitedWithin(TimeSpan.FromHours(1)), "It does not look for jobs again.");
        var id = await UploadAsync("a.md");
        await ClaimAsync(Guid.NewGuid(), NoLease);
        clock.Advance(TimeSpan.FromMinutes(1));
        Assert.Equal("running", (await FindAsync(id)).State);

        Assert.Equal(1, await connections.RetryAsync(connection => connection.ExecuteScalarAsync<int>("select 1"), Cancel));

        await Until.TrueAsync(async () => (await FindAsync(id)).State == "completed", "Nobody takes the job over.");
        await loop.StopAsync(Cancel);
        await start.StopAsync(Cancel);
    }

    [Fact]
    public async Task No_job_begins_while_the_index_is_changed_without_one()
    {
        await UploadAsync("a.md");
        using var pause = new JobPause(_database.Connections);
        Task<(Claim Claim, ClaimedJob? Job)>? claiming = null;

        Assert.True(await pause.TryRunAsync(
            async _ =>
            {
                claiming = ClaimAsync(Guid.NewGuid(), TimeSpan.FromMinutes(1));
                await Until.TrueAsync(
                    async () => await _database.ScalarAsync<bool>(
                        "select exists (select from pg_locks join pg_database on oid = database where datname = current_database() and locktype = 'advisory' and not granted)"),
                    "The claim does not wait.");
                Assert.False(claiming.IsCompleted);
            },
            Cancel));

        Assert.Equal(Claim.Claimed, (await claiming!).Claim);
        Assert.False(await pause.TryRunAsync(_ => throw new InvalidOperationException("A job runs."), Cancel));
    }

    private Process Process(
        Func<string, Task>? beforeWrite = null, int patience = 60, IEmbedder? embedder = null, TimeSpan? lease = null, NpgsqlDataSource? connections = null,
        QdrantPassageIndex? index = null, PostgresPassageIndex? postgres = null)
    {
        connections ??= _database.Connections;
        var options = Options.Create(new IngestOptions { Beat = TimeSpan.FromMilliseconds(20), Lease = lease ?? TimeSpan.FromSeconds(15) });
        var limit = Options.Create(new PatienceOptions { Seconds = patience });
        postgres ??= _database.Index;
        var vectors = new WatchedVectors((IPassageVectors?)index ?? postgres, beforeWrite ?? (_ => Task.CompletedTask), embedder);
        var ingest = new BookIngest(connections, (IPassageIndex?)index ?? postgres, vectors, new(Options.Create(new SiteOptions())), limit, TimeProvider.System);
        var runner = new JobRunner(connections, ingest, options, limit, TimeProvider.System, NullLogger<JobRunner>.Instance);
        return new(runner, new(connections, runner));
    }

    private async Task<IngestJobResponse> FindAsync(Guid id) => (await Process().Status.FindAsync(id, Cancel))!;

    private Task<(Claim Claim, ClaimedJob? Job)> ClaimAsync(Guid process, TimeSpan lease) => JobLeases.ClaimAsync(_database.Connections, process, lease, Cancel);

    private async Task<Guid> UploadAsync(params string[] paths)
    {
        await using var upload = await JobUpload.OpenAsync(_database.Connections, isChecked: false, Cancel);
        foreach (var path in paths)
            await upload.AddAsync(new(path, $"# {path}\n\nText."), Cancel);
        await upload.EnqueueAsync(prune: false, plan: false, Cancel);
        return upload.Id;
    }
}

internal sealed record Process(JobRunner Runner, JobStatus Status);

/// <summary>Calls something before each document is written, and may have an embedder.</summary>
internal sealed class WatchedVectors(IPassageVectors inner, Func<string, Task> beforeWrite, IEmbedder? embedder = null) : IPassageVectors
{
    public IEmbedder? Embedder => embedder;

    public Task<IReadOnlyList<HeldDocument>> ListAsync(CancellationToken cancellationToken) => inner.ListAsync(cancellationToken);

    public Task<IReadOnlySet<string>> ListUnembeddedAsync(CancellationToken cancellationToken) => inner.ListUnembeddedAsync(cancellationToken);

    public async Task ReplaceAsync(IndexedDocument document, IReadOnlyDictionary<Guid, ReadOnlyMemory<float>> vectors, CancellationToken cancellationToken)
    {
        await beforeWrite(document.Path);
        await inner.ReplaceAsync(document, vectors, cancellationToken);
    }

    public Task<IReadOnlyList<KnownPassage>> FindAsync(IReadOnlyCollection<Guid> contentKeys, bool withVectors, CancellationToken cancellationToken) =>
        inner.FindAsync(contentKeys, withVectors, cancellationToken);
}

/// <summary>An embedder that fails as told.</summary>
internal sealed class ScriptedEmbedder(Func<IReadOnlyList<string>, object?> before) : IEmbedder
{
    public string Model => "scripted";

    public ConcurrentQueue<string> Embedded { get; } = new();

    public ConcurrentQueue<int> Sizes { get; } = new();

    public Task<IReadOnlyList<ReadOnlyMemory<float>>> EmbedAsync(IReadOnlyList<string> texts, CancellationToken cancellationToken)
    {
        before(texts);
        Sizes.Enqueue(texts.Count);
        foreach (var text in texts)
            Embedded.Enqueue(text);
        return Task.FromResult<IReadOnlyList<ReadOnlyMemory<float>>>([.. texts.Select(_ => new ReadOnlyMemory<float>([1]))]);
    }
}
