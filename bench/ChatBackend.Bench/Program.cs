using System.Globalization;
using ChatBackend.Bench;
using ChatBackend.Bench.Cost;
using ChatBackend.Bench.Scenarios;
using ChatBackend.Infrastructure.Database;
using Spectre.Console;

// ./dev bench [--explain] [--json file] [--compare file] [--plot file.svg]: what a turn and its neighbours cost.
// ./dev bench --scenario all: what the project promises under load.
// The service is started from the build (Release, Production), on DATABASE_URL or a private PostgreSQL.
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
AnsiConsole.Profile.Width = Math.Max(AnsiConsole.Profile.Width, 130);

try
{
    var options = BenchOptions.Parse(args);
    await using var database = await BenchDatabase.StartAsync(options);
    options = options with { Database = database.ConnectionString };
    return options.Scenario is null ? await CostTable.RunAsync(options) : await ScenarioTable.RunAsync(options);
}
catch (Exception e) when (e is FormatException or LocalPostgresException or InvalidOperationException or HttpRequestException or IOException or Npgsql.NpgsqlException)
{
    // Caught, so that the service and the server end with the bench.
    await Console.Error.WriteLineAsync(e.Message);
    return 1;
}
