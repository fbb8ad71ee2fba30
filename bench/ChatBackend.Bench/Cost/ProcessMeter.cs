using Dapper;
using Npgsql;

namespace ChatBackend.Bench.Cost;

/// <summary>The processor time and the memory of the service and of its PostgreSQL, from Linux's /proc; nothing where there is none,
/// and nothing of a PostgreSQL on another machine.</summary>
internal sealed class ProcessMeter
{
    /// <summary>Linux counts in hundredths of a second on every platform that .NET runs on.</summary>
    private const double TicksPerMillisecond = 0.1;

    private readonly int _service;
    private readonly int? _postmaster;

    private ProcessMeter(int service, int? postmaster) => (_service, _postmaster) = (service, postmaster);

    public static async Task<ProcessMeter> OfAsync(Service service, NpgsqlConnection connection)
    {
        var backend = await connection.ExecuteScalarAsync<int>("select pg_backend_pid()");
        var isHere = File.Exists($"/proc/{backend}/comm") && File.ReadAllText($"/proc/{backend}/comm").Trim() == "postgres";
        return new(service.ProcessId ?? throw new InvalidOperationException("The service runs elsewhere."), isHere ? Stat.Read(backend)?.Parent : null);
    }

    /// <summary>Milliseconds of processor time so far.</summary>
    public ProcessorTime Time() => new(Stat.Read(_service)?.Ticks / TicksPerMillisecond, PostgresTicks() / TicksPerMillisecond);

    /// <summary>MB of the service's memory, in which pages that are shared with other processes count in part (Pss).</summary>
    public double? Memory() => File.Exists($"/proc/{_service}/smaps_rollup")
        ? File.ReadLines($"/proc/{_service}/smaps_rollup").Where(l => l.StartsWith("Pss:", StringComparison.Ordinal)).Select(l => double.Parse(l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) / 1000).First()
        : null;

    private double? PostgresTicks()
    {
        if (_postmaster is not { } postmaster || Stat.Read(postmaster) is not { } parent)
            return null;
        // A server process that has ended is counted in its parent.
        var children = Directory.EnumerateDirectories("/proc").Select(d => int.TryParse(Path.GetFileName(d), out var id) ? Stat.Read(id) : null);
        return parent.Ticks + parent.EndedChildren + children.Where(c => c?.Parent == postmaster).Sum(c => c!.Ticks);
    }

    /// <summary>The fields of /proc/[pid]/stat (proc(5)) that are needed.</summary>
    private sealed record Stat(int Parent, double Ticks, double EndedChildren)
    {
        public static Stat? Read(int process)
        {
            try
            {
                // The name of the program may hold blanks and parentheses.
                var text = File.ReadAllText($"/proc/{process}/stat");
                var fields = text[(text.LastIndexOf(')') + 2)..].Split(' ');
                return new(int.Parse(fields[1]), double.Parse(fields[11]) + double.Parse(fields[12]), double.Parse(fields[13]) + double.Parse(fields[14]));
            }
            catch (IOException)
            {
                // It has ended, or there is no /proc.
                return null;
            }
        }
    }
}

/// <summary>Milliseconds; null where they could not be read.</summary>
internal sealed record ProcessorTime(double? Service, double? Postgres)
{
    public static ProcessorTime operator -(ProcessorTime after, ProcessorTime before) => new(after.Service - before.Service, after.Postgres - before.Postgres);
}
