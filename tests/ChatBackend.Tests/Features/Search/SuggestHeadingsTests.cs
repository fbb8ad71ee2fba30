using System.Diagnostics;
using System.Net;
using System.Text.Json;
using ChatBackend.Features.Search;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;

namespace ChatBackend.Tests.Features.Search;

public sealed class SuggestHeadingsTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    [Theory]
    [InlineData("nod", "Nodes, briefly", "How nodes talk")] // The heading that begins with it comes first.
    [InlineData("talk nod", "How nodes talk")]
    [InlineData("  HOW   nodes t ", "How nodes talk")]
    [InlineData("talk graph", "How nodes talk")] // The page's title holds the rest.
    [InlineData("graph", "The computation graph")] // A page of itself, but not for every heading on it.
    [InlineData("to", "Sim-to-real")]
    [InlineData("alk")]
    [InlineData("nodes zebra")]
    [InlineData("...")]
    [InlineData("机器", "人形机器人")]
    [InlineData("การ", "การเดินของหุ่นยนต์")]
    [InlineData("หุ่น", "การเดินของหุ่นยนต์")]
    [InlineData("روبوٹ", "روبوٹ کا توازن")]
    public async Task Each_word_may_be_the_beginning_of_one_in_the_heading_or_the_title(string typed, params string[] headings)
    {
        await IndexBookAsync();

        var body = await SuggestAsync(app, typed);

        Assert.Equal(typed.Trim(), body.GetProperty("query").GetString());
        Assert.Equal(headings, body.GetProperty("headings").EnumerateArray().Select(h => h.GetProperty("heading").GetString()));
    }

    [Fact]
    public async Task A_suggestion_has_the_pages_title_and_the_headings_address_and_there_are_at_most_eight()
    {
        await IndexBookAsync();

        var headings = (await SuggestAsync(app, "quok")).GetProperty("headings").EnumerateArray().ToArray();

        Assert.Equal(8, headings.Length);
        Assert.Equal(("Animals", "Quokka 1", "/docs/quokkas#h1"), (
            headings[0].GetProperty("title").GetString(), headings[0].GetProperty("heading").GetString(), headings[0].GetProperty("url").GetString()));
    }

    [Theory]
    [InlineData("")]
    [InlineData("?q=")]
    [InlineData("?q=%20")]
    [InlineData("?q=a%00b")]
    public async Task A_text_that_is_not_valid_is_400(string query) =>
        await (await app.Client.GetAsync("/search/suggest" + query)).ProblemAsync(400, "invalid_request");

    [Fact]
    public async Task The_longest_text_passes_and_one_character_more_does_not()
    {
        Assert.Equal(HttpStatusCode.OK, (await app.Client.GetAsync("/search/suggest?q=" + new string('a', 100))).StatusCode);
        await (await app.Client.GetAsync("/search/suggest?q=" + new string('a', 101))).ProblemAsync(400, "invalid_request");
    }

    [Fact]
    public async Task Nothing_that_is_typed_goes_to_a_model_and_the_first_ingest_shows_at_once()
    {
        await using var model = await StubOpenAi.StartAsync();
        await using var empty = new ChatBackendApp { ["OPENAI_BASE_URL"] = model.BaseUrl, ["RATE_LIMIT_SEARCH"] = "1" };
        await empty.InitializeAsync();

        Assert.Equal(0, (await SuggestAsync(empty, "zebra")).GetProperty("headings").GetArrayLength());
        await IndexAsync(empty, "zebra.md", "Zebras", "Stripes of a zebra");
        var embedded = model.EmbeddingRequests.Count;
        Assert.Equal(1, (await SuggestAsync(empty, "zebra")).GetProperty("headings").GetArrayLength());
        Assert.Equal((0, embedded), (model.Requests.Count, model.EmbeddingRequests.Count));
    }

    [Fact]
    public async Task A_new_heading_shows_when_the_list_is_a_minute_old_and_the_list_outlives_the_database()
    {
        await IndexAsync(app, "fresh.md", "Fresh", "Walrus one");
        var clock = new FakeClock();
        var index = new BreakableIndex(app.Services.GetRequiredService<IPassageIndex>());
        var list = new HeadingList(index, clock, NullLogger<HeadingList>.Instance);
        await UntilAsync("Walrus one");
        await IndexAsync(app, "fresh.md", "Fresh", "Walrus two");

        clock.Advance(TimeSpan.FromSeconds(59));
        Assert.Equal(["Walrus one"], await FindAsync());
        Assert.Equal(1, index.Reads);
        clock.Advance(TimeSpan.FromSeconds(2));
        await UntilAsync("Walrus two");
        Assert.Equal(2, index.Reads);

        index.IsBroken = true;
        clock.Advance(TimeSpan.FromHours(1));
        await FindAsync();
        await Until.TrueAsync(() => index.Reads == 3, "The list was not read again.");
        await UntilAsync("Walrus two");

        async Task<string[]> FindAsync() => [.. (await list.FindAsync("walr", 8, TestContext.Current.CancellationToken)).Select(h => h.Heading)];
        Task UntilAsync(string heading) => Until.TrueAsync(async () => await FindAsync() is [var one] && one == heading, $"{heading} is not suggested.");
    }

    /// <summary>Measures, and does not fail on a slow machine.</summary>
    [Fact]
    public async Task Ten_thousand_headings_are_searched_at_each_key()
    {
        await using var large = new ChatBackendApp();
        await large.InitializeAsync();
        string[] words = ["robot", "sensor", "node", "topic", "balance", "gait", "planning", "inverse", "kinematics", "humanoid", "torque", "policy"];
        foreach (var page in Enumerable.Range(0, 100))
            await IndexAsync(large, $"page{page}.md", $"Page {page} on {words[page % 12]}", [.. Enumerable.Range(0, 100).Select(i => $"The {words[i % 12]} and the {words[(i / 12 + page) % 12]} of part {(100 * page) + i}")]);
        Assert.Equal(8, (await SuggestAsync(large, "rob")).GetProperty("headings").GetArrayLength());

        var took = new List<TimeSpan>();
        foreach (var typed in Enumerable.Range(0, 500).Select(i => i % 3 == 0 ? words[i % 12][..2] : i % 3 == 1 ? $"{words[i % 12]} {words[(i + 5) % 12][..3]}" : $"part {i}"))
        {
            var start = Stopwatch.GetTimestamp();
            await large.Client.GetStringAsync($"/search/suggest?q={typed}");
            took.Add(Stopwatch.GetElapsedTime(start));
        }

        took.Sort();
        TestContext.Current.TestOutputHelper!.WriteLine($"10,000 headings, over HTTP: p50 {took[250].TotalMilliseconds:F2} ms, p95 {took[475].TotalMilliseconds:F2} ms");
    }

    private async Task IndexBookAsync()
    {
        await IndexAsync(app, "graph.md", "The computation graph", "The computation graph", "How nodes talk", "Nodes, briefly", "Sim-to-real");
        await IndexAsync(app, "languages.md", "Languages", "人形机器人", "การเดินของหุ่นยนต์", "روبوٹ کا توازن");
        await IndexAsync(app, "quokkas.md", "Animals", [.. Enumerable.Range(1, 9).Select(i => $"Quokka {i}")]);
    }

    private static async Task<JsonElement> SuggestAsync(ChatBackendApp app, string typed)
    {
        var response = await app.Client.GetAsync($"/search/suggest?q={Uri.EscapeDataString(typed)}");
        var body = await response.JsonAsync();
        Assert.True(response.StatusCode == HttpStatusCode.OK, body.GetRawText());
        return body;
    }

    private static Task IndexAsync(ChatBackendApp app, string path, string title, params string[] headings)
    {
        _ = app.Address; // starts the service, which migrates
        return app.Services.GetRequiredService<IPassageIndex>().ReplaceAsync(
            new(path, title, $"/docs/{Path.ChangeExtension(path, null)}", string.Join(',', headings), [.. headings.Select((h, i) => new Chunk(i, [h], $"h{i + 1}", $"About {h}."))]),
            TestContext.Current.CancellationToken);
    }

    /// <summary>Counts how often the headings are read, and fails on demand.</summary>
    private sealed class BreakableIndex(IPassageIndex index) : IPassageIndex
    {
        public int Reads { get; private set; }

        public bool IsBroken { get; set; }

        public Task<IReadOnlyList<PassageHeading>> GetHeadingsAsync(CancellationToken cancellationToken)
        {
            Reads++;
            return IsBroken ? throw new IOException("The index is broken.") : index.GetHeadingsAsync(cancellationToken);
        }

        public Task ReplaceAsync(IndexedDocument document, CancellationToken cancellationToken) => index.ReplaceAsync(document, cancellationToken);

        public Task RemoveAsync(IReadOnlyCollection<string> paths, CancellationToken cancellationToken) => index.RemoveAsync(paths, cancellationToken);

        public Task<IReadOnlyDictionary<string, string>> GetDocumentsAsync(CancellationToken cancellationToken) => index.GetDocumentsAsync(cancellationToken);

        public Task<IReadOnlyList<OutlinedDocument>> GetOutlineAsync(CancellationToken cancellationToken) => index.GetOutlineAsync(cancellationToken);

        public Task<IReadOnlyList<Passage>> GetFirstAsync(IReadOnlyCollection<string> paths, int most, CancellationToken cancellationToken) =>
            index.GetFirstAsync(paths, most, cancellationToken);

        public Task MeasureSimilarityAsync(CancellationToken cancellationToken) => index.MeasureSimilarityAsync(cancellationToken);

        public Task<IReadOnlyList<Passage>> SearchAsync(PassageQuery query, CancellationToken cancellationToken) => index.SearchAsync(query, cancellationToken);

        public Task<IReadOnlyList<Passage>> GetAsync(IReadOnlyCollection<Guid> ids, CancellationToken cancellationToken) => index.GetAsync(ids, cancellationToken);
    }
}
