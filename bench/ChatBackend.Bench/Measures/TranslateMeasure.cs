using System.Diagnostics;
using System.Net.Http.Json;
using System.Text.Json;
using ChatBackend.Bench.Scenarios;
using Spectre.Console;

namespace ChatBackend.Bench.Measures;

/// <summary>Translates a chapter of 3,000 words of the sample book with <see cref="SlowTranslator"/>, as a stream, and shows what readers wait: the first
/// one, the next one, and those of an edited chapter. It replaces the book and the translations in the database, and leaves none.</summary>
internal static class TranslateMeasure
{
    public const string Name = "translate";

    private const int Words = 3000;
    private const string Key = "bench";

    /// <returns>False if a target was missed.</returns>
    public static async Task<bool> RunAsync(BenchOptions options)
    {
        if (options.Url is not null)
        {
            AnsiConsole.MarkupLine("translate: not measured, because --url names a service of yours.");
            return true;
        }

        await using var model = await SlowTranslator.StartAsync();
        await using var service = await Service.StartAsync(options, new()
        {
            ["AI_PROVIDER"] = "openai",
            ["OPENAI_BASE_URL"] = model.Address,
            ["QDRANT_URL"] = "",
            ["SAMPLE_BOOK"] = "off",
            ["INGEST_API_KEY"] = Key,
            ["RATE_LIMIT_TRANSLATE"] = "0",
        });
        service.Client.DefaultRequestHeaders.Add("X-API-Key", Key);
        var runner = new LoadRunner(service.Client, options);
        await runner.ExecuteAsync("delete from translations");

        var chapter = Chapter();
        AnsiConsole.MarkupLineInterpolated(
            $"[grey]{Name}: a chapter of {Count(chapter)} words; a model that takes {SlowTranslator.Start.TotalSeconds} s and {SlowTranslator.PerToken.TotalMilliseconds} ms for each token that it writes[/]");
        var table = new Table().AddColumns("translate", "segments", "calls", "first segment s", "target", "whole s", "target", "");
        var isMet = true;
        await IngestAsync(service.Client, chapter);
        // What a process does once, the compilation of its code above all, is not what readers wait for.
        await ReadAsync(service.Client, "The nodes talk to the robot.");
        await AddAsync("the first reader", chapter, 3, 10);
        await AddAsync("the next reader", chapter, 0.5, 0.5);
        var edited = chapter.Replace("\n\n## ", "\n\nAn editor has added this sentence to the book.\n\n## ", StringComparison.Ordinal);
        await IngestAsync(service.Client, edited);
        await AddAsync("the first reader after an edit", edited, 0.5, 3);
        await runner.ExecuteAsync("delete from documents; delete from translations");

        AnsiConsole.Write(table);
        return isMet;

        async Task AddAsync(string reader, string text, double firstTarget, double wholeTarget)
        {
            var calls = model.Calls;
            var (first, whole, completed) = await ReadAsync(service.Client, text);
            if (completed.GetProperty("warnings").GetArrayLength() > 0)
                throw new InvalidOperationException($"The chapter was not translated as a whole: {completed.GetProperty("warnings")}");
            var holds = first < firstTarget && whole < wholeTarget;
            isMet &= holds;
            table.AddRow(
                reader, $"{completed.GetProperty("segments")}", $"{model.Calls - calls}", $"{first:0.00}", $"< {firstTarget}", $"{whole:0.00}", $"< {wholeTarget}",
                holds ? "[green]met[/]" : "[red]missed[/]");
        }
    }

    /// <summary>The seconds to the first segment and to the end.</summary>
    private static async Task<(double First, double Whole, JsonElement Completed)> ReadAsync(HttpClient client, string text)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/translate") { Content = JsonContent.Create(new { text }), Headers = { { "Accept", "text/event-stream" } } };
        var started = Stopwatch.GetTimestamp();
        using var response = (await client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead)).EnsureSuccessStatusCode();
        using var lines = new StreamReader(await response.Content.ReadAsStreamAsync());
        double? first = null;
        var name = "";
        while (await lines.ReadLineAsync() is { } line)
        {
            if (line.StartsWith("event:", StringComparison.Ordinal))
                name = line[6..].Trim();
            if (name == "segment")
                first ??= Stopwatch.GetElapsedTime(started).TotalSeconds;
            if (name is "completed" && line.StartsWith("data:", StringComparison.Ordinal))
                return (first ?? double.NaN, Stopwatch.GetElapsedTime(started).TotalSeconds, JsonElement.Parse(line[5..]));
        }

        throw new InvalidOperationException($"The stream ended with the event '{name}'.");
    }

    private static async Task IngestAsync(HttpClient client, string chapter)
    {
        using var posted = (await client.PostAsJsonAsync("/ingest?prune=true", new { documents = new[] { new { path = "chapter.mdx", content = chapter } } })).EnsureSuccessStatusCode();
        while (JsonElement.Parse(await client.GetStringAsync(posted.Headers.Location)).GetProperty("ended_at").ValueKind is JsonValueKind.Null)
            await Task.Delay(100);
    }

    /// <summary>Whole sections of the sample book, in its order.</summary>
    private static string Chapter()
    {
        var chapter = "# A chapter\n";
        var sections = Directory.EnumerateFiles(Path.Combine(Service.FindRoot(), "sample-book"), "0*.md*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal).SelectMany(file => File.ReadAllText(file).Split("\n## ").Skip(1));
        foreach (var section in sections.TakeWhile(_ => Count(chapter) < Words))
            chapter += $"\n## {section.Trim()}\n";
        return chapter;
    }

    private static int Count(string text) => text.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries).Length;
}
