using System.Net.Http.Headers;
using System.Net.Http.Json;
using ChatBackend.Bench.Cost;
using ChatBackend.Infrastructure.Database;
using Npgsql;
using Spectre.Console;

namespace ChatBackend.Bench.Measures;

/// <summary>Streams of an answer through each door: processor time a turn and p50. The doors take turns, and each round begins with another one, so that a
/// busy moment meets all of them. A door's p50 is compared with that of /chat in the same round.</summary>
internal static class DoorsMeasure
{
    public const string Name = "doors";

    private const int Rounds = 8;

    /// <summary>For the first turns, which compile the code.</summary>
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(3);

    private static readonly Door[] Doors =
    [
        new("/chat", "/chat", "event: completed", question => new { message = question }),
        new("AI SDK", "/api/chat", "data: [DONE]", question => new
        {
            id = Guid.NewGuid(),
            trigger = "submit-message",
            messages = new[] { new { id = "question", role = "user", parts = new[] { new { type = "text", text = question } } } },
        }),
        new("OpenAI", "/v1/chat/completions", "data: [DONE]", question => new { stream = true, messages = new[] { new { role = "user", content = question } } }),
        new("ChatKit", "/chatkit", "\"thread.item.done\",\"item\":{\"type\":\"assistant_message\"", question => new
        {
            type = "threads.create",
            @params = new { input = new { content = new[] { new { type = "input_text", text = question } }, attachments = Array.Empty<string>(), inference_options = new { } } },
        }),
        new("MCP", "/mcp", "\"structuredContent\"", question => new
        {
            jsonrpc = "2.0",
            id = 1,
            method = "tools/call",
            @params = new { name = "ask_book", arguments = new { question } },
        }),
    ];

    public static async Task RunAsync(BenchOptions options)
    {
        if (options.Url is not null)
        {
            AnsiConsole.MarkupLine("doors: not measured, because --url names a service of yours.");
            return;
        }

        await using var stub = await ModelStub.StartAsync();
        var book = new GeneratedBook(Math.Min(options.Pages, 100));
        await using var service = await Service.StartAsync(options, CostTable.Settings(stub));
        await book.UploadAsync(service.Client);
        await using var connection = new NpgsqlConnection(DatabaseUrl.Parse(options.Database).ConnectionString);
        await connection.OpenAsync();
        var meter = await ProcessMeter.OfAsync(service, connection);

        var seconds = TimeSpan.FromSeconds(options.Seconds / Rounds);
        foreach (var door in Doors)
            await MeasureAsync(door, options.Seconds < WarmUp.TotalSeconds ? seconds : WarmUp);
        var measured = Doors.Select(_ => new List<(Result Result, ProcessorTime Cost)>()).ToArray();
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var i in Enumerable.Range(round, Doors.Length).Select(i => i % Doors.Length))
                measured[i].Add(await MeasureAsync(Doors[i], seconds));
        }

        var table = new Table().AddColumns("a stream through", "turns", "CPU a turn, service, ms", "of /chat's", "CPU a turn, PostgreSQL, ms", "p50 ms", "of /chat's", "errors");
        var rows = Doors.Zip(measured, (door, runs) => new Row(door.Name, runs)).ToArray();
        foreach (var row in rows)
        {
            table.AddRow(
                row.Name, $"{row.Turns:#,0}", $"{row.Service:0.00}", $"{row.Service / rows[0].Service:0%}", $"{row.Postgres:0.00}",
                $"{Middle(row.Medians):0.0}", $"{Middle(row.Medians.Zip(rows[0].Medians, (own, chat) => own / chat)):0%}", $"{row.Errors}");
        }

        AnsiConsole.Write(table);
        AnsiConsole.MarkupLineInterpolated($"{options.Clients} clients, {options.Seconds} s a door in {Rounds} rounds, {Environment.ProcessorCount} cores shared by clients, model, service and database.");

        async Task<(Result Result, ProcessorTime Cost)> MeasureAsync(Door door, TimeSpan time)
        {
            var before = meter.Time();
            var result = await Load.RunAsync(options.Clients, time, random => StreamAsync(service.Client, door, book.Question(random)));
            return (result, meter.Time() - before);
        }
    }

    private static double Middle(IEnumerable<double> values) => values.Order().ElementAt(Rounds / 2);

    private static async Task<bool> StreamAsync(HttpClient client, Door door, string question)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, door.Path) { Content = JsonContent.Create(door.Body(question)) };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        using var response = await client.SendAsync(request);
        return (await response.Content.ReadAsStringAsync()).Contains(door.End, StringComparison.Ordinal);
    }

    /// <param name="End">What only a whole answer has.</param>
    private sealed record Door(string Name, string Path, string End, Func<string, object> Body);

    private sealed record Row(string Name, IReadOnlyList<(Result Result, ProcessorTime Cost)> Runs)
    {
        public int Turns => Runs.Sum(r => r.Result.Sorted.Length);

        public int Errors => Runs.Sum(r => r.Result.Errors);

        public double? Service => Runs.Sum(r => r.Cost.Service) / Turns;

        public double? Postgres => Runs.Sum(r => r.Cost.Postgres) / Turns;

        /// <summary>The p50 of each round.</summary>
        public IEnumerable<double> Medians => Runs.Select(r => r.Result.Percentile(0.50));
    }
}
