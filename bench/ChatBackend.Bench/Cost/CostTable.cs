using ChatBackend.Infrastructure.Database;
using Npgsql;
using Spectre.Console;

namespace ChatBackend.Bench.Cost;

/// <summary>What a turn and its neighbours cost, with a model stub and a generated book.</summary>
internal static class CostTable
{
    public static async Task<int> RunAsync(BenchOptions options)
    {
        var earlier = options.Compare is { } file ? await FigureFile.ReadAsync(file) : null;
        var figures = new List<Figure>();
        await using var stub = await ModelStub.StartAsync();
        var book = new GeneratedBook(options.Pages);
        var settings = Settings(stub);

        // The first start migrates, and ingests the book.
        int passages;
        await using (var first = await Service.StartAsync(options, settings))
            passages = await book.UploadAsync(first.Client);
        AnsiConsole.MarkupLineInterpolated($"[grey]{options.Pages:#,0} pages, {passages:#,0} passages; {options.Clients} clients, {options.Seconds} s a row, {Environment.ProcessorCount} cores shared by load, stub, service and PostgreSQL[/]");

        var starts = new List<double>();
        for (var i = 0; i < options.Starts; i++)
        {
            await using var started = await Service.StartAsync(options, settings);
            starts.Add(started.FirstAnswer.TotalMilliseconds);
        }

        await using (var connection = new NpgsqlConnection(DatabaseUrl.Parse(options.Database).ConnectionString))
        {
            await connection.OpenAsync();
            await using var service = await Service.StartAsync(options, settings);
            var rows = new CostRows(
                options, service, await ProcessMeter.OfAsync(service, connection), stub, book,
                options.IsExplained ? await StatementList.TryOpenAsync(connection) : null);
            var idle = await rows.IdleMemoryAsync();
            figures.AddRange(await rows.FirstTurnsAsync());
            figures.AddRange(await rows.TurnAsync());
            figures.AddRange(await rows.SlowModelAsync());
            figures.AddRange(await rows.SearchAsync());
            figures.AddRange(await rows.AuditsAsync());
            figures.AddRange(await rows.MemoryAsync(idle));
        }

        await using (var service = await Service.StartAsync(options, settings))
        {
            await using var connection = new NpgsqlConnection(DatabaseUrl.Parse(options.Database).ConnectionString);
            await connection.OpenAsync();
            var rows = new CostRows(options, service, await ProcessMeter.OfAsync(service, connection), stub, book, statements: null);
            figures.AddRange(await rows.StreamsAsync());
            figures.AddRange(await rows.OneTurnAsync());
        }

        figures.Add(new("start", "to the first 200, median", starts.Order().ElementAt(starts.Count / 2), "ms", 450));

        if (options.Plot is not null)
        {
            var (curves, panels) = await CostCurves.RunAsync(options, stub);
            figures.AddRange(curves);
            await SvgPlot.WriteAsync(options.Plot, $"Processor time of a turn, in milliseconds ({options.Clients} clients)", panels);
        }

        Show(figures, earlier);
        var run = new FigureFile(DateTimeOffset.UtcNow, Environment.ProcessorCount, options.Clients, options.Readers, options.Pages, options.Seconds, figures);
        if (options.Json is not null)
            await run.WriteAsync(options.Json);
        if (options.Report is not null)
            await run.ReplaceTableAsync(options.Report);
        return 0;
    }

    /// <summary>A model, no embeddings, and the generated book alone.</summary>
    public static Dictionary<string, string> Settings(ModelStub stub) => new()
    {
        ["SAMPLE_BOOK"] = "off",
        ["INGEST_API_KEY"] = GeneratedBook.Key,
        ["AI_PROVIDER"] = "openai",
        ["OPENAI_API_KEY"] = "bench",
        ["OPENAI_BASE_URL"] = stub.Address,
        ["OPENAI_EMBEDDING_MODEL"] = "off",
        ["QDRANT_URL"] = "",
        ["DAILY_TOKENS_PER_CLIENT"] = "0",
        ["DAILY_TOKEN_BUDGET"] = "0",
    };

    private static void Show(IReadOnlyList<Figure> figures, FigureFile? earlier)
    {
        var table = new Table().AddColumns("", "figure", "value", "aim", "");
        if (earlier is not null)
            table.AddColumns($"on {earlier.MeasuredAt:yyyy-MM-dd HH:mm}", "change");
        var row = "";
        foreach (var figure in figures)
        {
            List<string> cells =
            [
                figure.Row == row ? "" : figure.Row, figure.Name, $"{Figure.Show(figure.Value)} {figure.Unit}",
                figure.Aim is { } aim ? $"{aim:#,0.##}" : "", figure.Aim is null ? "" : figure.IsMet ? "[green]met[/]" : "[yellow]not yet[/]",
            ];
            if (earlier is not null)
                cells.AddRange(earlier.Find(figure) is { } before ? [Figure.Show(before.Value), $"{100 * (figure.Value - before.Value) / before.Value:+0;-0;0}%"] : ["", ""]);
            table.AddRow([.. cells]);
            row = figure.Row;
        }

        AnsiConsole.Write(table);
    }
}
