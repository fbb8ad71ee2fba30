using System.IO.Compression;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using ChatBackend.Bench.Scenarios;
using Spectre.Console;

namespace ChatBackend.Bench.Measures;

/// <summary>Uploads a book of 1,000 chapters as a zip to a service of its own, and shows the time to the end of the job and the service's peak memory.
/// It replaces the book in the database, and leaves none.</summary>
internal static class IngestMeasure
{
    public const string Name = "ingest";

    private const int Chapters = 1000;

    /// <summary>As many as the book needs for about 10 MB.</summary>
    private const int ChapterCharacters = 10_000;

    private const string Key = "bench";

    public static async Task RunAsync(BenchOptions options)
    {
        if (options.Url is not null)
        {
            AnsiConsole.MarkupLine("ingest: not measured, because --url names a service of yours.");
            return;
        }

        var table = new Table().AddColumns("ingest", "MB of Markdown", "passages", "embedded", "calls", "seconds", "target", "peak memory MB");
        await AddAsync(table, options, "1,000 chapters, no embedder", "60", new() { ["QDRANT_URL"] = "" }, embedder: null);
        if (Environment.GetEnvironmentVariable("QDRANT_URL") is { Length: > 0 } qdrant)
        {
            await using var embedder = await SlowEmbedder.StartAsync();
            await AddAsync(
                table, options, $"1,000 chapters, embedder of {SlowEmbedder.Delay.TotalMilliseconds} ms a call", "300",
                new() { ["QDRANT_URL"] = qdrant, ["QDRANT_COLLECTION"] = "bench", ["AI_PROVIDER"] = "openai", ["OPENAI_BASE_URL"] = embedder.Address, ["OPENAI_EMBEDDING_MODEL"] = "bench" },
                embedder);
        }
        else
        {
            AnsiConsole.MarkupLine("ingest: set QDRANT_URL to a Qdrant of the benchmark's own to measure it with an embedder, too.");
        }

        AnsiConsole.Write(table);
    }

    private static async Task AddAsync(Table table, BenchOptions options, string name, string target, Dictionary<string, string> settings, SlowEmbedder? embedder)
    {
        AnsiConsole.MarkupLineInterpolated($"[grey]{Name}: {name}[/]");
        var (zip, bytes) = Zip();
        await using var service = await Service.StartAsync(options, new(settings) { ["SAMPLE_BOOK"] = "off", ["INGEST_API_KEY"] = Key });
        service.Client.DefaultRequestHeaders.Add("X-API-Key", Key);
        var started = System.Diagnostics.Stopwatch.GetTimestamp();
        using var body = new ByteArrayContent(zip) { Headers = { ContentType = new MediaTypeHeaderValue("application/zip") } };
        using var posted = (await service.Client.PostAsync("/ingest?prune=true", body)).EnsureSuccessStatusCode();
        JsonElement job;
        do
        {
            await Task.Delay(100);
            job = JsonElement.Parse(await service.Client.GetStringAsync(posted.Headers.Location));
        }
        while (job.GetProperty("ended_at").ValueKind is JsonValueKind.Null);

        var seconds = System.Diagnostics.Stopwatch.GetElapsedTime(started).TotalSeconds;
        var report = job.GetProperty("report");
        if (job.GetProperty("state").GetString() != "completed" || report.GetProperty("ingested").GetInt32() != Chapters)
            throw new InvalidOperationException($"The job did not ingest the book: {job.GetProperty("state")}, {report.GetProperty("ingested")} chapters");
        table.AddRow(
            name, $"{bytes / 1e6:0.0}", $"{report.GetProperty("passages")}", $"{report.GetProperty("embedded")}", $"{embedder?.Calls ?? 0}", $"{seconds:0.0}", $"< {target}",
            $"{service.PeakMegabytes():0}");
        // The questions of the other scenarios are about the sample book, which the next start ingests.
        await new LoadRunner(service.Client, options).ExecuteAsync("delete from documents");
    }

    /// <summary>Chapters made of the sections of the sample book. Those of another run have other titles, so that no passage is in the index already.</summary>
    private static (byte[] Zip, long Bytes) Zip()
    {
        var run = Guid.NewGuid().ToString("N")[..8];
        string[] sections = [.. Directory.EnumerateFiles(Path.Combine(Service.FindRoot(), "sample-book"), "0*.md*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal).SelectMany(file => File.ReadAllText(file).Split("\n## ").Skip(1))];
        var random = new Random(1);
        var bytes = 0L;
        var zip = new MemoryStream();
        using (var archive = new ZipArchive(zip, ZipArchiveMode.Create, leaveOpen: true))
        {
            for (var chapter = 1; chapter <= Chapters; chapter++)
            {
                var text = new StringBuilder($"---\ntitle: Chapter {chapter} of {run}\n---\n\n");
                while (text.Length < ChapterCharacters)
                    text.Append("## ").Append(sections[random.Next(sections.Length)].Trim()).Append("\n\n");
                using var entry = archive.CreateEntry($"docs/part-{chapter / 50:00}/chapter-{chapter:0000}.md").Open();
                var content = Encoding.UTF8.GetBytes(text.ToString());
                entry.Write(content);
                bytes += content.Length;
            }
        }

        return (zip.ToArray(), bytes);
    }
}
