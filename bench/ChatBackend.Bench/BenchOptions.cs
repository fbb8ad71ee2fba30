using ChatBackend.Infrastructure.Database;

namespace ChatBackend.Bench;

/// <summary>What the command line says.</summary>
/// <param name="Scenario">Only scenarios whose name starts so; null for all.</param>
/// <param name="Clients">Clients that send one request after the other, without a pause.</param>
/// <param name="Seconds">How long each scenario is measured, after two seconds of warming up.</param>
/// <param name="Audits">Audit records that there are before the list is measured.</param>
/// <param name="Profiles">Profiles that there are before they are measured.</param>
/// <param name="Url">A service that runs already; null starts one.</param>
/// <param name="Database">A <c>postgres://</c> URL or Npgsql keywords, as the service takes them: for seeding, and for the service that is started.</param>
internal sealed record BenchOptions(string? Scenario, int Clients, int Seconds, int Audits, int Profiles, Uri? Url, string Database)
{
    /// <exception cref="FormatException">An option is unknown, its value is no number, or the database is missing or cannot be read.</exception>
    public static BenchOptions Parse(string[] args)
    {
        var options = new BenchOptions(null, 100, 20, 10_000, 10_000, null, Environment.GetEnvironmentVariable("DATABASE_URL") ?? "");
        for (var i = 0; i < args.Length; i += 2)
        {
            var value = i + 1 < args.Length ? args[i + 1] : throw new FormatException($"{args[i]} needs a value.");
            options = args[i] switch
            {
                "--scenario" => options with { Scenario = value },
                "--clients" => options with { Clients = int.Parse(value) },
                "--seconds" => options with { Seconds = int.Parse(value) },
                "--audits" => options with { Audits = int.Parse(value) },
                "--profiles" => options with { Profiles = int.Parse(value) },
                "--url" => options with { Url = new Uri(value) },
                "--database" => options with { Database = value },
                _ => throw new FormatException($"{args[i]} is not known: --scenario, --clients, --seconds, --audits, --profiles, --url, --database."),
            };
        }

        if (options.Database.Length == 0)
            throw new FormatException("Set DATABASE_URL to a database of the bench's own: it replaces the audit records and profiles there.");
        try
        {
            DatabaseUrl.Parse(options.Database);
        }
        catch (FormatException e)
        {
            throw new FormatException($"DATABASE_URL cannot be used: {e.Message}.", e);
        }

        return options;
    }
}
