using ChatBackend.Tests.Infrastructure.Search.Qdrant;
using Dapper;
using Npgsql;

namespace ChatBackend.Tests.Features.Ingest;

/// <summary>Two <c>ingest</c> commands at the same moment, each in its own process.</summary>
public sealed class IngestTogetherTests : IAsyncLifetime
{
    private const int Pages = 40;

    private readonly string _folder = Directory.CreateTempSubdirectory("books").FullName;
    private StubQdrant _qdrant = null!;
    private string _database = "";

    public async ValueTask InitializeAsync()
    {
        _qdrant = await StubQdrant.StartAsync();
        _database = await PostgresServer.CreateDatabaseAsync();
        foreach (var book in new[] { "one", "two" })
        {
            Directory.CreateDirectory(Path.Combine(_folder, book));
            for (var i = 0; i < Pages; i++)
                await File.WriteAllTextAsync(Path.Combine(_folder, book, $"page-{i}.md"), Page($"{book}s gripper"));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _qdrant.DisposeAsync();
        await PostgresServer.DropDatabaseAsync(_database);
        Directory.Delete(_folder, recursive: true);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Two_commands_at_once_leave_every_page_whole(bool isQdrant)
    {
        // The same folder twice, and then two folders with other texts of the same pages.
        await IngestAsync("one", "one");
        Assert.Equal(Enumerable.Repeat(("ones", 3), Pages), await PagesAsync(isQdrant));

        await IngestAsync("one", "two");
        var pages = await PagesAsync(isQdrant);
        // One job came last, and it wrote every page.
        Assert.Contains(pages[0].Book, new[] { "ones", "twos" });
        Assert.Equal(Enumerable.Repeat((pages[0].Book, 3), Pages), pages);

        async Task IngestAsync(string one, string other)
        {
            await using var first = Start(one, isQdrant);
            await using var second = Start(other, isQdrant);
            Assert.True(await first.WaitForExitAsync() == 0, first.Output);
            Assert.True(await second.WaitForExitAsync() == 0, second.Output);
        }
    }

    private static string Page(string what) => string.Concat(Enumerable.Range(0, 3).Select(s => $"## Section {s}\n\n{what} {string.Join(' ', Enumerable.Range(0, 150).Select(w => $"word{w}"))}\n\n"));

    private ServiceProcess Start(string book, bool isQdrant)
    {
        var settings = new Dictionary<string, string>
        {
            ["ASPNETCORE_ENVIRONMENT"] = "Production",
            ["DATABASE_URL"] = _database,
            ["AI_PROVIDER"] = "offline",
        };
        if (isQdrant)
            (settings["QDRANT_URL"], settings["QDRANT_API_KEY"]) = (_qdrant.Url, StubQdrant.Key);
        return ServiceProcess.Start(settings, "ingest", Path.Combine(_folder, book));
    }

    /// <summary>The book of each page's passages, and how many searches can see.</summary>
    private async Task<(string Book, int Passages)[]> PagesAsync(bool isQdrant)
    {
        if (isQdrant)
        {
            var passages = _qdrant.Payloads(SearchQdrant.Collection, "passage");
            return
            [
                .. _qdrant.Payloads(SearchQdrant.Collection, "document").Select(document =>
                {
                    Assert.NotEqual("", (string?)document["content_hash"]);
                    var own = passages.Where(p => (string?)p["path"] == (string?)document["path"]).ToList();
                    Assert.All(own, p => Assert.Equal((string?)document["generation"], (string?)p["generation"]));
                    return (string.Join('+', own.Select(p => ((string)p["text"]!).Split(' ')[0]).Distinct()), own.Count);
                }),
            ];
        }

        await using var connection = new NpgsqlConnection(_database);
        return
        [
            .. await connection.QueryAsync<(string, int)>(
                """
                select coalesce(string_agg(distinct split_part(p.text, ' ', 1), '+'), ''), count(p.id)::integer
                from documents d left join passages p on p.document_id = d.id
                group by d.path
                """),
        ];
    }
}
