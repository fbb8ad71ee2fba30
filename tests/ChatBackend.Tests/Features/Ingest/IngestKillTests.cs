using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using ChatBackend.Tests.Infrastructure.Search.Qdrant;
using Dapper;
using Npgsql;

namespace ChatBackend.Tests.Features.Ingest;

/// <summary>The command, killed again and again in its own process.</summary>
public sealed class IngestKillTests : IAsyncLifetime
{
    private const int Kills = 10;

    /// <summary>Each has more passages than fit into the calls that ten attempts may make.</summary>
    private const int Pages = 300;

    private readonly string _folder = Directory.CreateTempSubdirectory("book").FullName;
    private string _killed = "";
    private string _undisturbed = "";
    private StubOpenAi _model = null!;

    public async ValueTask InitializeAsync()
    {
        _model = await StubOpenAi.StartAsync();
        _killed = await PostgresServer.CreateDatabaseAsync();
        _undisturbed = await PostgresServer.CreateDatabaseAsync();
        for (var i = 0; i < Pages; i++)
            await File.WriteAllTextAsync(Path.Combine(_folder, $"{i:000}.md"), Page(i));
    }

    public async ValueTask DisposeAsync()
    {
        await _model.DisposeAsync();
        await PostgresServer.DropDatabaseAsync(_killed);
        await PostgresServer.DropDatabaseAsync(_undisturbed);
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_job_that_is_killed_ten_times_ends_with_the_same_index(bool isQdrant)
    {
        await using var killedQdrant = await StubQdrant.StartAsync();
        await using var undisturbedQdrant = await StubQdrant.StartAsync();
        var seed = Random.Shared.Next();
        var random = new Random(seed);

        await using (var whole = Ingest(_undisturbed, isQdrant ? undisturbedQdrant : null))
            Assert.True(await whole.WaitForExitAsync() == 0, whole.Output);

        // The upload is committed by the first process; each of the others continues the same job.
        Job? job = null;
        LetEmbed(random.Next(4));
        await using (var first = Ingest(_killed, isQdrant ? killedQdrant : null))
        {
            await FollowAsync(first, j => j.State is "waiting" or "running");
            await KillAsync(first);
        }

        var kills = 1;
        for (; kills < Kills && job!.State != "completed"; kills++)
        {
            LetEmbed(random.Next(4));
            await using var next = Service(_killed, isQdrant ? killedQdrant : null);
            var attempt = job.Attempt;
            await FollowAsync(next, j => j.Attempt > attempt || j.State == "completed");
            await KillAsync(next);
        }

        _model.BeforeVectors = _ => Task.CompletedTask;
        await using (var last = Service(_killed, isQdrant ? killedQdrant : null))
            await FollowAsync(last, j => j.State == "completed");

        Assert.True(kills == Kills, $"The job ended after {kills} kills (seed {seed}).");
        Assert.Equal(await ContentsAsync(_undisturbed, undisturbedQdrant, isQdrant), await ContentsAsync(_killed, killedQdrant, isQdrant));

        // A quick machine would end the job before the last kill.
        void LetEmbed(int calls) => _model.BeforeVectors = aborted => Interlocked.Decrement(ref calls) >= 0 ? Task.CompletedTask : Task.Delay(Timeout.Infinite, aborted);

        async Task FollowAsync(ServiceProcess process, Func<Job, bool> until) => await Until.TrueAsync(
            async () =>
            {
                Assert.False(process.HasExited, $"The process has exited (seed {seed}):\n{process.Output}");
                job = await FindJobAsync();
                return job is not null && until(job);
            },
            () => $"The job is not where it should be (seed {seed}): {job}\n{process.Output}");

        async Task KillAsync(ServiceProcess process)
        {
            await Task.Delay(random.Next(300), TestContext.Current.CancellationToken);
            process.Kill();
            await process.WaitForExitAsync();
            job = await FindJobAsync();
        }
    }

    private static string Page(int i) =>
        $"# Page {i}\n\n" + string.Concat(Enumerable.Range(0, 6).Select(s => $"## Section {s}\n\nThe robot number {i} moves its arm {s} times. {string.Join(' ', Enumerable.Range(0, 60).Select(w => $"word{(i * 7) + (s * 11) + w}"))}\n\n"));

    private ServiceProcess Ingest(string database, StubQdrant? qdrant) => ServiceProcess.Start(Settings(database, qdrant), "ingest", _folder, "--prune");

    private ServiceProcess Service(string database, StubQdrant? qdrant) => ServiceProcess.Start(Settings(database, qdrant));

    private Dictionary<string, string> Settings(string database, StubQdrant? qdrant)
    {
        var settings = new Dictionary<string, string>
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["DATABASE_URL"] = database,
            ["OPENAI_BASE_URL"] = _model.BaseUrl,
            ["OPENAI_EMBEDDING_DIMENSIONS"] = "8",
            ["SAMPLE_BOOK"] = "off",
            ["Ingest__Lease"] = "00:00:01",
            ["Ingest__Beat"] = "00:00:00.200",
        };
        if (qdrant is not null)
            (settings["QDRANT_URL"], settings["QDRANT_API_KEY"]) = (qdrant.Url, StubQdrant.Key);
        return settings;
    }

    private async Task<Job?> FindJobAsync()
    {
        await using var connection = new NpgsqlConnection(_killed);
        await connection.OpenAsync();
        return await connection.ExecuteScalarAsync<bool>("select to_regclass('ingest_jobs') is not null")
            ? await connection.QuerySingleOrDefaultAsync<Job>(
                """
                select state::text, attempt, stalls, lease_owner::text as owner, (lease_until - now())::text as lease, error::text, report::text from ingest_jobs
                """)
            : null;
    }

    /// <summary>Everything that does not depend on the time or on the order of writing.</summary>
    private static async Task<string[]> ContentsAsync(string database, StubQdrant qdrant, bool isQdrant)
    {
        if (isQdrant)
        {
            return
            [
                .. new[] { "document", "passage" }.SelectMany(kind => qdrant.Payloads(SearchQdrant.Collection, kind)).Select(payload =>
                {
                    var copy = payload.DeepClone().AsObject();
                    copy.Remove("revision");
                    copy.Remove("ingested_at");
                    return copy.ToJsonString();
                }).Order(StringComparer.Ordinal),
                .. qdrant.Ids(SearchQdrant.Collection).Select(id => id.ToString()),
            ];
        }

        await using var connection = new NpgsqlConnection(database);
        return
        [
            .. await connection.QueryAsync<string>("select concat_ws('|', path, title, url, content_hash, passage_count) from documents order by path"),
            .. await connection.QueryAsync<string>(
                """
                select concat_ws('|', p.id, d.path, p.position, p.url, p.content_key, p.text, md5(t.terms))
                from passages p join documents d on d.id = p.document_id join document_terms t on t.document_id = d.id
                order by d.path, p.position
                """),
        ];
    }

    private sealed record Job(string State, int Attempt, int Stalls, string? Owner, string? Lease, string? Error, string Report);
}
