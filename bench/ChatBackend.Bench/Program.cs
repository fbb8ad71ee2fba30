using System.Globalization;
using ChatBackend.Bench;
using Spectre.Console;

// dotnet run -c Release --project bench/ChatBackend.Bench -- [--scenario name] [--clients 100] [--seconds 20] [--audits 10000] [--profiles 10000] [--url http://…]
// Without --url it starts the service itself (Release, Production, the offline model) on DATABASE_URL.
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;

// A new scenario is a file with a class, and a line here.
IScenario[] scenarios = [new HealthScenario(), new AuditCreateScenario(), new AuditListScenario(), new AuditSearchScenario(), new ProfileScenario(), new ChatScenario()];

BenchOptions options;
try
{
    options = BenchOptions.Parse(args);
}
catch (FormatException e)
{
    await Console.Error.WriteLineAsync(e.Message);
    return 1;
}

AnsiConsole.Profile.Width = Math.Max(AnsiConsole.Profile.Width, 130);
if (options.Scenario == IngestMeasure.Name)
{
    await IngestMeasure.RunAsync(options);
    return 0;
}

await using var service = await Service.StartAsync(options);
var runner = new LoadRunner(service.Client, options);
var table = new Table().AddColumns("scenario", "requests", "per second", "p50 ms", "p95 ms", "p99 ms", "max ms", "errors", "target", "");
var isMet = true;
foreach (var scenario in scenarios.Where(s => options.Scenario is null || s.Name.StartsWith(options.Scenario, StringComparison.Ordinal)))
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
if (options.Scenario is null)
    await IngestMeasure.RunAsync(options);
return isMet ? 0 : 2;
