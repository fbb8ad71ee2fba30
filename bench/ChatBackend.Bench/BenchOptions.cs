using ChatBackend.Infrastructure.Database;

namespace ChatBackend.Bench;

/// <summary>What the command line says.</summary>
internal sealed record BenchOptions
{
    /// <summary>The scenarios whose names start so, against their targets, instead of the table of costs; "all" for all.</summary>
    public string? Scenario { get; init; }

    /// <summary>Clients that send one request after the other, without a pause.</summary>
    public int Clients { get; init; } = 100;

    /// <summary>Readers of streams at once.</summary>
    public int Readers { get; init; } = 1_000;

    /// <summary>How long each row or scenario is measured, after a warm-up.</summary>
    public double Seconds { get; init; } = 10;

    /// <summary>Pages of the generated book.</summary>
    public int Pages { get; init; } = 1_000;

    /// <summary>How often the service is started to measure its start.</summary>
    public int Starts { get; init; } = 5;

    /// <summary>Audit records that there are before the list is measured.</summary>
    public int Audits { get; init; } = 10_000;

    /// <summary>Profiles that there are before they are measured.</summary>
    public int Profiles { get; init; } = 10_000;

    /// <summary>A service that runs already, for scenarios; null starts one.</summary>
    public Uri? Url { get; init; }

    /// <summary>The program that is started; null for the build of this repository.</summary>
    public string? Program { get; init; }

    /// <summary>A <c>postgres://</c> URL or Npgsql keywords, as the service takes them; empty starts a private server.</summary>
    public string Database { get; init; } = "";

    /// <summary>Where the figures are written; null for nowhere.</summary>
    public string? Json { get; init; }

    /// <summary>The figures of an earlier run, to compare with.</summary>
    public string? Compare { get; init; }

    /// <summary>Where the plot of a turn's cost is written. It takes some minutes more; null for no plot.</summary>
    public string? Plot { get; init; }

    /// <summary>A document whose table is replaced by the figures; null for none.</summary>
    public string? Report { get; init; }

    /// <summary>Some seconds in all: that everything is measured, not how fast it is.</summary>
    public bool IsBrief { get; init; }

    /// <summary>Show the statements that took the most time, by pg_stat_statements.</summary>
    public bool IsExplained { get; init; }

    /// <exception cref="FormatException">An option is unknown, its value is no number, or the database cannot be read.</exception>
    public static BenchOptions Parse(string[] args)
    {
        var options = new BenchOptions { Database = Environment.GetEnvironmentVariable("DATABASE_URL") ?? "" };
        for (var i = 0; i < args.Length; i++)
        {
            options = args[i] switch
            {
                "--explain" => options with { IsExplained = true },
                "--brief" => options with { IsBrief = true, Clients = 20, Readers = 50, Seconds = 0.3, Pages = 20, Starts = 1 },
                "--scenario" => options with { Scenario = Value() },
                "--clients" => options with { Clients = int.Parse(Value()) },
                "--readers" => options with { Readers = int.Parse(Value()) },
                "--seconds" => options with { Seconds = double.Parse(Value()) },
                "--pages" => options with { Pages = int.Parse(Value()) },
                "--starts" => options with { Starts = int.Parse(Value()) },
                "--audits" => options with { Audits = int.Parse(Value()) },
                "--profiles" => options with { Profiles = int.Parse(Value()) },
                "--url" => options with { Url = new Uri(Value()) },
                "--program" => options with { Program = Path.GetFullPath(Value()) },
                "--database" => options with { Database = Value() },
                "--json" => options with { Json = Path.GetFullPath(Value()) },
                "--compare" => options with { Compare = Path.GetFullPath(Value()) },
                "--report" => Reporting(Path.GetFullPath(Value())),
                "--plot" => options with { Plot = Path.GetFullPath(Value()) },
                _ => throw new FormatException(
                    $"{args[i]} is not known: --scenario, --brief, --explain, --json, --compare, --plot, --report, --clients, --readers, --seconds, --pages, --starts, --audits, --profiles, --url, --program, --database."),
            };

            // What the document shows and what later runs compare with.
            BenchOptions Reporting(string document) => options with
            {
                Report = document,
                Json = Path.ChangeExtension(document, ".json"),
                Plot = Path.Combine(Path.GetDirectoryName(document)!, "images", "turn-cost.svg"),
            };

            string Value() => ++i < args.Length ? args[i] : throw new FormatException($"{args[i - 1]} needs a value.");
        }

        if (options.Url is not null && (options.Scenario is null || options.Database.Length == 0))
            throw new FormatException("--url is for scenarios, and DATABASE_URL must name the database of that service.");
        try
        {
            if (options.Database.Length > 0)
                DatabaseUrl.Parse(options.Database);
        }
        catch (FormatException e)
        {
            throw new FormatException($"DATABASE_URL cannot be used: {e.Message}.", e);
        }

        return options;
    }
}
