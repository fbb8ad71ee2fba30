using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using Spectre.Console;

namespace ChatBackend.Bench.Cost;

/// <summary>The rows of the table, each on one running service.</summary>
internal sealed class CostRows(BenchOptions options, Service service, ProcessMeter meter, ModelStub stub, GeneratedBook book, StatementList? statements)
{
    /// <summary>Before each row, for what it alone compiles.</summary>
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(3);

    private static readonly TimeSpan SlowModel = TimeSpan.FromSeconds(1);

    /// <summary>The end of the last stream without an answer, which says why.</summary>
    private string? _wrongAnswer;

    private HttpClient Client => service.Client;

    /// <summary>After a pause in which an idle service gives memory back.</summary>
    public async Task<double?> IdleMemoryAsync()
    {
        await Task.Delay(TimeSpan.FromSeconds(options.IsBrief ? 1 : 15));
        return meter.Memory();
    }

    /// <param name="idle">What <see cref="IdleMemoryAsync"/> was before the rows.</param>
    public async Task<IEnumerable<Figure>> MemoryAsync(double? idle)
    {
        var after = meter.Memory();
        return Present(
            ("memory (Pss)", "idle", idle, "MB", 70),
            ("memory (Pss)", "right after the rows above", after, "MB", 120),
            ("memory (Pss)", "idle again", await IdleMemoryAsync(), "MB", null));
    }

    /// <summary>What a process compiles under its first load is in no other row.</summary>
    public async Task<IEnumerable<Figure>> FirstTurnsAsync()
    {
        var (_, cost) = await MeasureAsync("The first questions", options.Clients, AskAsync, isFirst: true);
        return Present(("POST /chat", $"CPU a turn in the first {options.Seconds:0.#} s, service", cost.Service, "ms", null));
    }

    /// <summary>Questions in new sessions, with a model that answers at once.</summary>
    public async Task<IEnumerable<Figure>> TurnAsync()
    {
        var calls = stub.Calls;
        var (result, cost) = await MeasureAsync("POST /chat", options.Clients, AskAsync);
        if (stub.Calls - calls < result.Sorted.Length / 2)
            throw new InvalidOperationException("Most questions did not reach the model: they are not about the book.");
        return Present(
            ("POST /chat", "CPU a turn, service", cost.Service, "ms", 0.8),
            ("POST /chat", "CPU a turn, PostgreSQL", cost.Postgres, "ms", 0.7),
            ("POST /chat", "turns", result.PerSecond, "/s", 800),
            ("POST /chat", "p50", result.Percentile(0.50), "ms", null),
            ("POST /chat", "p99", result.Percentile(0.99), "ms", null));
    }

    /// <summary>Of a question in a new session.</summary>
    public async Task<ProcessorTime> TurnCostAsync() => (await MeasureAsync("POST /chat", options.Clients, AskAsync)).Cost;

    /// <summary>Of a question whose answer takes a second.</summary>
    public async Task<ProcessorTime> StreamCostAsync(int readers) => (await SlowAsync(readers)).Cost;

    /// <summary>What the service adds to a model that streams for a second.</summary>
    public async Task<IEnumerable<Figure>> SlowModelAsync()
    {
        var (result, cost) = await SlowAsync(options.Clients);
        return Present(
            ("1 s model", "added, p50", result.Percentile(0.50) - SlowModel.TotalMilliseconds, "ms", 3),
            ("1 s model", "added, p99", result.Percentile(0.99) - SlowModel.TotalMilliseconds, "ms", 15),
            ("1 s model", "CPU a turn, service", cost.Service, "ms", null),
            ("1 s model", "CPU a turn, PostgreSQL", cost.Postgres, "ms", null));
    }

    /// <summary>One client, because the time of a search alone is wanted.</summary>
    public async Task<IEnumerable<Figure>> SearchAsync()
    {
        var (result, cost) = await MeasureAsync("GET /search", 1, random => GetAsync($"/search?q={Uri.EscapeDataString(book.Question(random))}"));
        return Present(
            ("GET /search", "CPU, service", cost.Service, "ms", null),
            ("GET /search", "CPU, PostgreSQL", cost.Postgres, "ms", null),
            ("GET /search", "CPU, both", cost.Service + cost.Postgres, "ms", 2),
            ("GET /search", "p95", result.Percentile(0.95), "ms", 5));
    }

    public async Task<IEnumerable<Figure>> AuditsAsync()
    {
        var audit = new { title = "Torque check of the left knee", status = "completed", score = 87, details = new { joint = "knee_left", torque_nm = new[] { 12.5, 13.1, 12.9 } } };
        var ids = new System.Collections.Concurrent.ConcurrentBag<string>();
        var (created, _) = await MeasureAsync("POST /audits", options.Clients, async _ =>
        {
            using var response = await Client.PostAsJsonAsync("/audits", audit);
            ids.Add(JsonElement.Parse(await response.Content.ReadAsStringAsync()).GetProperty("id").GetString()!);
            return response.IsSuccessStatusCode;
        });
        var known = ids.Take(1_000).ToArray();
        var (read, _) = await MeasureAsync("GET /audits/{id}", options.Clients, random => GetAsync($"/audits/{known[random.Next(known.Length)]}"));
        return Present(("POST /audits", "requests", created.PerSecond, "/s", 5_000), ("GET /audits/{id}", "requests", read.PerSecond, "/s", 9_000));
    }

    /// <summary>Readers who each follow the stream of their own turn, all at once.</summary>
    public async Task<IEnumerable<Figure>> StreamsAsync()
    {
        // Ten pieces a second, for long enough that all of them read at once.
        stub.Duration = TimeSpan.FromSeconds(Math.Max(2 * options.Seconds, 2));
        stub.Pieces = (int)(stub.Duration.TotalSeconds * 10);
        using var readers = new HttpClient { BaseAddress = Client.BaseAddress, Timeout = TimeSpan.FromMinutes(2) };
        var before = meter.Time();
        // Each client sends one request.
        var all = Load.RunAsync(options.Readers, TimeSpan.Zero, random => StreamAsync(readers, random));
        var (health, memory) = (new List<double>(), meter.Memory());
        while (!all.IsCompleted)
        {
            var asked = Stopwatch.GetTimestamp();
            if (!await GetAsync("/health"))
                throw new InvalidOperationException("/health did not answer 200.");
            health.Add(Stopwatch.GetElapsedTime(asked).TotalMilliseconds);
            if (health.Count % 20 == 0)
                memory = meter.Memory() is { } now && now > memory ? now : memory;
            await Task.Delay(20);
        }

        var row = $"{options.Readers:#,0} streams";
        Check(row, (await all).Errors, options.Readers);
        var cost = meter.Time() - before;
        (stub.Duration, stub.Pieces) = (TimeSpan.Zero, 20);
        return Present(
            (row, "most memory (Pss)", memory, "MB", 200),
            (row, "GET /health meanwhile, p99", new Result([.. health.Order()], 0, 1).Percentile(0.99), "ms", 50),
            (row, "CPU a turn, service", cost.Service / options.Readers, "ms", null),
            (row, "CPU a turn, PostgreSQL", cost.Postgres / options.Readers, "ms", null));
    }

    /// <summary>Readers who all follow one turn.</summary>
    public async Task<IEnumerable<Figure>> OneTurnAsync()
    {
        var row = $"{options.Readers:#,0} readers of one turn";
        AnsiConsole.MarkupLineInterpolated($"[grey]{row}[/]");
        (stub.Duration, stub.Pieces) = (TimeSpan.FromSeconds(Math.Max(options.Seconds, 2)), 100);
        using var asked = (await AskForStreamAsync(Client, new Random(0), HttpCompletionOption.ResponseHeadersRead)).EnsureSuccessStatusCode();
        using var stream = new StreamReader(await asked.Content.ReadAsStreamAsync());
        string? line;
        do
            line = await stream.ReadLineAsync();
        while (line?.StartsWith("data: ", StringComparison.Ordinal) is false);
        var turn = JsonElement.Parse(line!["data: ".Length..]).GetProperty("turn_id").GetGuid();

        using var readers = new HttpClient { BaseAddress = Client.BaseAddress, Timeout = TimeSpan.FromMinutes(2) };
        var before = meter.Time();
        var read = await Load.RunAsync(options.Readers, TimeSpan.Zero, async _ =>
            (await readers.GetStringAsync($"/chat/turns/{turn}/events")).Contains("event: completed", StringComparison.Ordinal));
        var cost = meter.Time() - before;
        Check(row, read.Errors, read.Requests);
        (stub.Duration, stub.Pieces) = (TimeSpan.Zero, 20);
        return Present((row, "CPU a reader and 100 deltas, service", cost.Service / options.Readers, "ms", null));
    }

    private async Task<(Result Result, ProcessorTime Cost)> SlowAsync(int readers)
    {
        stub.Duration = SlowModel;
        // They begin at different moments, as readers do: those that begin together would also end together, second after second.
        var measured = await MeasureAsync($"1 s model, {readers:#,0} readers", readers, random => StreamAsync(Client, random), spread: SlowModel);
        stub.Duration = TimeSpan.Zero;
        return measured;
    }

    /// <summary>Processor time is that of a request.</summary>
    private async Task<(Result Result, ProcessorTime Cost)> MeasureAsync(
        string name, int clients, Func<Random, Task<bool>> request, TimeSpan spread = default, bool isFirst = false)
    {
        AnsiConsole.MarkupLineInterpolated($"[grey]{name}[/]");
        var time = TimeSpan.FromSeconds(options.Seconds);
        if (!isFirst)
            await Load.RunAsync(clients, time < WarmUp ? time : WarmUp, request, spread);
        if (statements is not null)
            await statements.ResetAsync();
        var before = meter.Time();
        var result = await Load.RunAsync(clients, time, request, spread);
        var cost = meter.Time() - before;
        Check(name, result.Errors, result.Requests);
        if (statements is not null)
            await statements.ShowAsync(result.Requests);
        return (result, new(cost.Service / result.Requests, cost.Postgres / result.Requests));
    }

    /// <summary>Some requests fail where the machine is too slow for so many: the times are those of the others.</summary>
    private void Check(string name, int errors, int requests)
    {
        if (errors == 0)
            return;
        var message = $"{name}: {errors} of {requests} requests failed. {_wrongAnswer}";
        if (options.IsBrief && errors * 2 > requests)
            throw new InvalidOperationException(message);
        AnsiConsole.MarkupLineInterpolated($"[red]{message}[/]");
    }

    private async Task<bool> AskAsync(Random random)
    {
        using var response = await Client.PostAsJsonAsync("/chat", new { message = book.Question(random) });
        await response.Content.CopyToAsync(Stream.Null);
        return response.IsSuccessStatusCode;
    }

    private async Task<HttpResponseMessage> AskForStreamAsync(HttpClient client, Random random, HttpCompletionOption until)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, "/chat") { Content = JsonContent.Create(new { message = book.Question(random) }) };
        request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("text/event-stream"));
        return await client.SendAsync(request, until);
    }

    private async Task<bool> StreamAsync(HttpClient client, Random random)
    {
        using var response = await AskForStreamAsync(client, random, HttpCompletionOption.ResponseContentRead);
        var events = await response.Content.ReadAsStringAsync();
        if (events.Contains("event: completed", StringComparison.Ordinal))
            return true;
        _wrongAnswer = events[^Math.Min(events.Length, 300)..];
        return false;
    }

    private async Task<bool> GetAsync(string path)
    {
        using var response = await Client.GetAsync(path);
        await response.Content.CopyToAsync(Stream.Null);
        return response.IsSuccessStatusCode;
    }

    private static IEnumerable<Figure> Present(params (string Row, string Name, double? Value, string Unit, double? Aim)[] figures) =>
        figures.Where(f => f.Value is { } value && double.IsFinite(value)).Select(f => new Figure(f.Row, f.Name, f.Value!.Value, f.Unit, f.Aim));
}
