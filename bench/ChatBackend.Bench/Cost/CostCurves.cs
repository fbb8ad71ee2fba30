using ChatBackend.Bench.Scenarios;
using ChatBackend.Infrastructure.Database;
using Dapper;
using Npgsql;
using Spectre.Console;

namespace ChatBackend.Bench.Cost;

/// <summary>What a turn costs as the book, the stored turns and the readers grow. It replaces the conversations in the database.</summary>
internal static class CostCurves
{
    private static readonly int[] Pages = [10, 1_000, 6_667];
    private static readonly int[] StoredTurns = [100, 100_000];
    private static readonly int[] Readers = [1, 100, 1_000];

    private const string StoreTurns =
        """
        with made as (
            select gen_random_uuid() as session_id, gen_random_uuid() as turn_id, now() - make_interval(secs => n) as at
            from generate_series(1, @turns) as n
        ),
        session as (
            insert into chat_sessions (id, turn_count, created_at, updated_at) select session_id, 1, at, at from made
        ),
        turn as (
            insert into turns (id, session_id, number, state, request, response, grounding, model, input_tokens, output_tokens, latency_ms, created_at, ended_at)
            select turn_id, session_id, 1, 'completed', '{"message":"How does it work?"}', json_build_object('response', repeat('The book says so. ', 50)),
                   'full', 'bench', 900, 100, 1000, at, at
            from made
        )
        insert into messages (id, session_id, turn_id, position, role, content, created_at)
        select gen_random_uuid(), session_id, turn_id, position, (array['user', 'assistant']::message_role[])[position], repeat('The book says so. ', position * 25), at
        from made, generate_series(1, 2) as position
        """;

    /// <returns>The figures, and the panels of the plot.</returns>
    public static async Task<(IReadOnlyList<Figure> Figures, IReadOnlyList<PlotPanel> Panels)> RunAsync(BenchOptions options, ModelStub stub)
    {
        await using var service = await Service.StartAsync(options, CostTable.Settings(stub));
        await using var connection = new NpgsqlConnection(DatabaseUrl.Parse(options.Database).ConnectionString);
        await connection.OpenAsync();
        var meter = await ProcessMeter.OfAsync(service, connection);
        var runner = new LoadRunner(service.Client, options);
        await runner.ExecuteAsync("truncate chat_sessions cascade");

        List<PlotPoint> byTurns = [], byReaders = [], byPassages = [];
        int[] books = Scaled(Pages);
        foreach (var pages in books)
        {
            AnsiConsole.MarkupLineInterpolated($"[grey]A turn with a book of {pages:#,0} pages[/]");
            var book = new GeneratedBook(pages);
            // The upload reports those that changed.
            await book.UploadAsync(service.Client);
            var passages = await connection.ExecuteScalarAsync<int>("select count(*) from passages");
            await runner.ExecuteAsync("vacuum analyze");
            var rows = new CostRows(options, service, meter, stub, book, statements: null);
            // A new process compiles first.
            if (byPassages.Count == 0)
                await rows.FirstTurnsAsync();
            byPassages.Add(new(passages, await rows.TurnCostAsync()));
            // Measured with the book in the middle.
            if (pages != books[1])
                continue;
            foreach (var turns in Scaled(StoredTurns))
            {
                await runner.ExecuteAsync("truncate chat_sessions cascade");
                await runner.ExecuteAsync(StoreTurns, new { turns });
                await runner.ExecuteAsync("vacuum analyze");
                byTurns.Add(new(turns, await rows.TurnCostAsync()));
            }

            foreach (var readers in Scaled(Readers))
                byReaders.Add(new(readers, await rows.StreamCostAsync(readers)));
        }

        PlotPanel[] panels = [new("passages in the book", byPassages), new("turns stored before", byTurns), new("readers of a model that takes 1 s", byReaders)];
        return ([.. panels.SelectMany(Figures)], panels);

        int[] Scaled(int[] sizes) => options.IsBrief ? [.. sizes.Select(size => Math.Max(1, size / 100))] : sizes;
    }

    private static IEnumerable<Figure> Figures(PlotPanel panel) => panel.Points.SelectMany(point => new Figure[]
    {
        new("a turn", $"{point.X:#,0} {panel.Title}, service", point.Cost.Service ?? double.NaN, "ms"),
        new("a turn", $"{point.X:#,0} {panel.Title}, PostgreSQL", point.Cost.Postgres ?? double.NaN, "ms"),
    }).Where(f => !double.IsNaN(f.Value));
}
