using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Tests.Infrastructure.Search.Qdrant;

namespace ChatBackend.Tests.Infrastructure.Search;

/// <summary>Ranks public question sets (BEIR layout, not part of this repository) and compares the result with the scores
/// that the service promises.</summary>
public sealed class RetrievalQualityTests(SearchDatabase database, SearchQdrant qdrant, ITestOutputHelper output) : IClassFixture<SearchDatabase>, IClassFixture<SearchQdrant>
{
    private const int Depth = 10;

    [Theory]
    [InlineData("postgres", "cacm", 1, 1000, 0.505)]
    // The stub takes a hundred times as long for a request as PostgreSQL does for a row.
    [InlineData("qdrant", "cacm", 200, 1000, 0.505)]
    // Sentences without a title. The test uses every 22nd of the 22,447 questions to stay short.
    [InlineData("postgres", "squad-sentences", 20, 22, 0.72)]
    public async Task Ranks_as_well_as_promised(string kind, string set, int passagesPerDocument, int step, double least)
    {
        var folder = Folder(set);
        IPassageIndex index = kind == "qdrant" ? qdrant.Index : database.Index;
        Assert.SkipWhen(folder is null, $"The question set {set} is not here: set CHATBACKEND_SHARED to the folder that holds retrieval/.");
        var corpus = Read(folder, "corpus.jsonl").Select(d => (Id: d.GetProperty("_id").GetString()!, Title: d.GetProperty("title").GetString()!, Text: d.GetProperty("text").GetString()!)).ToList();
        var queries = Read(folder, "queries.jsonl").Select(q => (Id: q.GetProperty("_id").GetString()!, Text: q.GetProperty("text").GetString()!)).ToList();
        var relevant = File.ReadLines(Path.Combine(folder, "qrels.tsv")).Skip(1).Where(l => l.Length > 0).Select(l => l.Split('\t'))
            .GroupBy(l => l[0]).ToDictionary(g => g.Key, g => g.ToDictionary(l => l[1], l => double.Parse(l[2], CultureInfo.InvariantCulture)));

        var watch = Stopwatch.StartNew();
        var places = await IndexAsync(index, set, corpus, passagesPerDocument);
        output.WriteLine($"{kind} {set}: {corpus.Count} passages indexed in {watch.Elapsed.TotalSeconds:F1} s");
        // Autovacuum does this within a minute.
        foreach (var table in (string[])["document_terms", "passages", "documents"])
            await database.ScalarAsync<int>($"vacuum analyze {table}");

        var gains = new List<double>();
        var times = new List<double>();
        var judged = queries.Where(q => relevant.ContainsKey(q.Id)).ToList();
        foreach (var query in step > judged.Count ? judged : judged.Where((_, i) => i % step == 0))
        {
            watch.Restart();
            var found = await index.SearchAsync(new(query.Text, Depth), CancellationToken.None);
            times.Add(watch.Elapsed.TotalMilliseconds);
            gains.Add(NormalizedGain([.. found.Select(p => places.GetValueOrDefault((p.DocumentPath, p.Position), ""))], relevant[query.Id]));
        }

        times.Sort();
        output.WriteLine($"{kind} {set}: nDCG@10 {gains.Average():F4} over {gains.Count} questions; p50 {times[times.Count / 2]:F1} ms, p95 {times[times.Count * 95 / 100]:F1} ms");
        Assert.True(gains.Average() >= least, $"nDCG@10 is {gains.Average():F4}");
        await index.RemoveAsync([.. places.Keys.Select(p => p.Path).Distinct()], CancellationToken.None);
    }

    private static async Task<Dictionary<(string Path, int Position), string>> IndexAsync(
        IPassageIndex index, string set, List<(string Id, string Title, string Text)> corpus, int passagesPerDocument)
    {
        var places = new Dictionary<(string, int), string>();
        foreach (var group in corpus.Chunk(passagesPerDocument))
        {
            var path = $"{set}/{group[0].Id}";
            var chunks = group.Select((d, i) => new Chunk(i, [d.Title], null, d.Title.Length > 0 && d.Text.StartsWith(d.Title, StringComparison.Ordinal) ? d.Text[d.Title.Length..] : d.Text)).ToList();
            await index.ReplaceAsync(new(path, "", "/" + path, "1", chunks), CancellationToken.None);
            foreach (var (document, i) in group.Select((d, i) => (d, i)))
                places[(path, i)] = document.Id;
        }

        return places;
    }

    /// <summary>nDCG@10 with linear gains (Järvelin and Kekäläinen 2002), as trec_eval computes it.</summary>
    private static double NormalizedGain(IReadOnlyList<string> ranking, Dictionary<string, double> relevance)
    {
        var gain = ranking.Take(Depth).Select((id, i) => relevance.GetValueOrDefault(id) / Math.Log2(i + 2)).Sum();
        var ideal = relevance.Values.OrderDescending().Take(Depth).Select((r, i) => r / Math.Log2(i + 2)).Sum();
        return ideal > 0 ? gain / ideal : 0;
    }

    private static IEnumerable<JsonElement> Read(string folder, string file) =>
        File.ReadLines(Path.Combine(folder, file)).Where(l => l.Length > 0).Select(l => JsonDocument.Parse(l).RootElement);

    private static string? Folder(string set)
    {
        var shared = Environment.GetEnvironmentVariable("CHATBACKEND_SHARED");
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); shared is null && folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "ChatBackend.slnx")))
                shared = Path.Combine(folder.FullName, "..", "shared");
        var found = Path.Combine(shared ?? "", "retrieval", set);
        return Directory.Exists(found) ? found : null;
    }
}
