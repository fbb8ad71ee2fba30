using ChatBackend.Bench.Measures;
using Spectre.Console;

namespace ChatBackend.Bench.Scenarios;

/// <summary>The scenarios and their targets.</summary>
internal static class ScenarioTable
{
    // A new scenario is a file with a class, and a line here.
    private static readonly IScenario[] Scenarios =
        [new HealthScenario(), new AuditCreateScenario(), new AuditListScenario(), new AuditSearchScenario(), new ProfileScenario(), new ChatScenario()];

    /// <returns>0, or 2 if a target was missed.</returns>
    public static async Task<int> RunAsync(BenchOptions options)
    {
        if (options.Scenario == IngestMeasure.Name)
        {
            await IngestMeasure.RunAsync(options);
            return 0;
        }

        if (options.Scenario == DoorsMeasure.Name)
        {
            await DoorsMeasure.RunAsync(options);
            return 0;
        }

        if (options.Scenario == TranslateMeasure.Name)
            return await TranslateMeasure.RunAsync(options) ? 0 : 2;

        await using var service = await Service.StartAsync(options);
        var runner = new LoadRunner(service.Client, options);
        var table = new Table().AddColumns("scenario", "requests", "per second", "p50 ms", "p95 ms", "p99 ms", "max ms", "errors", "target", "");
        var isMet = true;
        foreach (var scenario in Scenarios.Where(s => options.Scenario == "all" || s.Name.StartsWith(options.Scenario!, StringComparison.Ordinal)))
        {
            AnsiConsole.MarkupLineInterpolated($"[grey]{scenario.Name}: {scenario.Description}[/]");
            await scenario.PrepareAsync(runner);
            var result = await runner.RunAsync(scenario);
            var holds = scenario.Target.Holds(result);
            isMet &= holds;
            table.AddRow(
                scenario.Name, $"{result.Requests}", $"{result.PerSecond:0}", $"{result.Percentile(0.50):0.0}", $"{result.Percentile(0.95):0.0}",
                $"{result.Percentile(0.99):0.0}", $"{result.Percentile(1):0.0}", $"{result.Errors}", scenario.Target.ToString(), holds ? "[green]met[/]" : "[red]missed[/]");
        }

        AnsiConsole.Write(table);
        if (service.ResidentMegabytes() is { } resident)
            AnsiConsole.MarkupLineInterpolated($"The service's resident memory after the run: {resident:0} MB. {options.Clients} clients, {options.Seconds} s each, {Environment.ProcessorCount} cores shared by clients, service and database.");
        if (options.Scenario == "all")
        {
            await DoorsMeasure.RunAsync(options);
            await IngestMeasure.RunAsync(options);
            isMet &= await TranslateMeasure.RunAsync(options);
        }

        return isMet ? 0 : 2;
    }
}
