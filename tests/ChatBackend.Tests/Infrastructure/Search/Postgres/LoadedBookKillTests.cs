using System.Text.Json;
using ChatBackend.Infrastructure.Search.Postgres;
using Dapper;
using Npgsql;

namespace ChatBackend.Tests.Infrastructure.Search.Postgres;

/// <summary>Processes that replace the book's pages and read each other's changes, killed again and again.</summary>
public sealed class LoadedBookKillTests : IAsyncLifetime
{
    private const int Rounds = 4;
    private const int Pages = 40;
    /// <summary>Every tenth page is about the subject that is searched for.</summary>
    private const int Step = 10;
    private const int Sections = 4;

    private readonly string _folder = Directory.CreateTempSubdirectory("book").FullName;
    private string _database = "";

    public async ValueTask InitializeAsync()
    {
        // The application sets this when it starts.
        DefaultTypeMap.MatchNamesWithUnderscores = true;
        _database = await PostgresServer.CreateDatabaseAsync();
    }

    public async ValueTask DisposeAsync()
    {
        await PostgresServer.DropDatabaseAsync(_database);
        Directory.Delete(_folder, recursive: true);
    }

    [Fact]
    public async Task Killed_while_they_replace_and_refresh_no_process_shows_half_a_page()
    {
        var seed = Random.Shared.Next();
        var random = new Random(seed);
        await IngestAsync(0);
        await using var connections = NpgsqlDataSource.Create(_database);
        using var idle = new PostgresPassageIndex(connections);

        for (var round = 1; round <= Rounds; round++)
        {
            // The service goes on with the job of a command that was killed, and is killed itself while it is asked.
            await using var service = ServiceProcess.Start(Settings);
            await service.WaitUntilReadyAsync();
            await WriteAsync(round);
            await using var command = ServiceProcess.Start(Settings, "ingest", _folder, "--prune");
            var before = await VersionAsync(connections);
            await Until.TrueAsync(async () => command.HasExited || await VersionAsync(connections) > before, $"Nothing was replaced (seed {seed}).", TimeSpan.FromSeconds(60));

            var answers = 0;
            var asking = AskUntilKilledAsync(service, () => Interlocked.Increment(ref answers));
            await Task.Delay(random.Next(200), TestContext.Current.CancellationToken);
            command.Kill();
            AssertWhole((await idle.SearchAsync(new("addax", 20), CancellationToken.None)).Select(p => (p.Url, p.Text)));
            await Task.Delay(random.Next(2_000), TestContext.Current.CancellationToken);
            await Until.TrueAsync(() => asking.IsCompleted || Volatile.Read(ref answers) > 0, $"The service did not answer (seed {seed}).");
            service.Kill();
            await asking;
            AssertWhole((await idle.SearchAsync(new("addax", 20), CancellationToken.None)).Select(p => (p.Url, p.Text)));
        }

        await IngestAsync(Rounds + 1);
        using var started = new PostgresPassageIndex(connections);
        var found = await idle.SearchAsync(new("addax", 20), CancellationToken.None);
        Assert.Equal((await started.SearchAsync(new("addax", 20), CancellationToken.None)).Select(p => (p.Id, p.Score)), found.Select(p => (p.Id, p.Score)));
        Assert.Equal(Pages / Step * Sections, found.Count(p => p.Text.Contains($"set{Rounds + 1}x", StringComparison.Ordinal)));
    }

    private Dictionary<string, string> Settings => new()
    {
        ["ASPNETCORE_ENVIRONMENT"] = "Production",
        ["DATABASE_URL"] = _database,
        ["AI_PROVIDER"] = "offline",
        ["SAMPLE_BOOK"] = "off",
        ["RATE_LIMIT_SEARCH"] = "0",
        ["Ingest__Lease"] = "00:00:01",
        ["Ingest__Beat"] = "00:00:00.200",
    };

    private static async Task AskUntilKilledAsync(ServiceProcess service, Action answered)
    {
        while (true)
        {
            string json;
            try
            {
                json = await service.Client.GetStringAsync("/search?q=addax&limit=20");
            }
            catch (HttpRequestException e) when (e.StatusCode is null)
            {
                // It was killed.
                await service.WaitForExitAsync();
                return;
            }

            AssertWhole(JsonDocument.Parse(json).RootElement.GetProperty("passages").EnumerateArray()
                .Select(p => (p.GetProperty("url").GetString()!, p.GetProperty("text").GetString()!)));
            answered();
        }
    }

    private static void AssertWhole(IEnumerable<(string Url, string Text)> found)
    {
        var pages = found.GroupBy(p => p.Url.Split('#')[0]).ToArray();
        Assert.Equal(Pages / Step, pages.Length);
        Assert.All(pages, page =>
        {
            Assert.Equal(Sections, page.Count());
            Assert.Single(page.Select(p => p.Text.Split(' ')[1]).Distinct());
        });
    }

    private static async Task<long> VersionAsync(NpgsqlDataSource connections)
    {
        await using var command = connections.CreateCommand("select version from index_version");
        return (long)(await command.ExecuteScalarAsync())!;
    }

    private async Task IngestAsync(int set)
    {
        await WriteAsync(set);
        await using var command = ServiceProcess.Start(Settings, "ingest", _folder, "--prune");
        Assert.True(await command.WaitForExitAsync() == 0, command.Output);
    }

    private async Task WriteAsync(int set)
    {
        for (var page = 0; page < Pages; page++)
            await File.WriteAllTextAsync(
                Path.Combine(_folder, $"{page:00}.md"),
                $"# Page {page}\n\n" + string.Concat(Enumerable.Range(0, Sections).Select(section =>
                    $"## Section {section}\n\n{(page % Step == 0 ? "addax" : "other")} set{set}x {string.Join(' ', Enumerable.Range(0, 80).Select(w => $"w{set}p{page}s{section}n{w}"))}\n\n")));
    }
}
