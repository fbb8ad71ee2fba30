using ChatBackend.Tests.Features.Ingest;

namespace ChatBackend.Tests.Infrastructure.Search.Postgres;

/// <summary>Two replicas that are searched while one of them ingests the book again and again.</summary>
public sealed class SearchDuringIngestTests
{
    private const int Ingests = 5;
    private const int ReadersOfEach = 4;

    [Fact]
    public async Task Every_search_on_every_replica_sees_a_page_as_it_was_or_as_it_is_and_never_goes_back()
    {
        using var book = new VersionedBook();
        await using var author = new ChatBackendApp { ["AI_PROVIDER"] = "offline" };
        await author.InitializeAsync();
        await book.WriteAsync(0);
        await author.IngestAsync(book.Folder);
        await using var other = new ChatBackendApp { ["AI_PROVIDER"] = "offline", ["DATABASE_URL"] = author.Database };
        await other.InitializeAsync();
        Assert.All(await VersionsAsync(other), version => Assert.Equal(0, version));

        var seen = new HashSet<int>();
        var ingesting = IngestAsync();
        await Task.WhenAll(((ChatBackendApp[])[author, other]).SelectMany(replica => Enumerable.Range(0, ReadersOfEach).Select(_ => ReadAsync(replica))));
        await ingesting;

        Assert.Contains(seen, version => version is > 0 and < Ingests);
        Assert.Equal(Enumerable.Repeat(Ingests, VersionedBook.Pages), await VersionsAsync(author));
        Assert.Equal(Enumerable.Repeat(Ingests, VersionedBook.Pages), await VersionsAsync(other));

        async Task IngestAsync()
        {
            for (var version = 1; version <= Ingests; version++)
            {
                await book.WriteAsync(version);
                Assert.Equal(VersionedBook.Pages, (await author.IngestAsync(book.Folder)).Ingested);
            }
        }

        async Task ReadAsync(ChatBackendApp replica)
        {
            var before = new int[VersionedBook.Pages];
            while (!ingesting.IsCompleted)
            {
                var versions = await VersionsAsync(replica);
                Assert.All(versions.Zip(before), page => Assert.True(page.First >= page.Second, $"{page.First} after {page.Second}"));
                before = versions;
                lock (seen)
                    seen.UnionWith(versions);
            }
        }
    }

    private static async Task<int[]> VersionsAsync(ChatBackendApp replica)
    {
        using var answer = await replica.Client.GetAsync($"/search?q={VersionedBook.Word}&limit={VersionedBook.Passages}", TestContext.Current.CancellationToken);
        return VersionedBook.VersionsOf((await answer.JsonAsync()).GetProperty("passages").EnumerateArray().Select(p => p.GetProperty("text").GetString()!));
    }
}
