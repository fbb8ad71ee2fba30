using System.Diagnostics;
using System.Globalization;

namespace ChatBackend.Tests;

/// <summary>Waits for a condition. Tests use it instead of sleeping.</summary>
internal static class Until
{
    /// <summary>Returns once the condition is true; fails with the message after the time limit, which only a failure reaches (2 min).</summary>
    public static Task TrueAsync(Func<Task<bool>> condition, string otherwise, TimeSpan? within = null) => TrueAsync(condition, () => otherwise, within);

    /// <inheritdoc cref="TrueAsync(Func{Task{bool}}, string, TimeSpan?)"/>
    /// <param name="otherwise">Called after the time limit, so that it can say what the state is then.</param>
    public static async Task TrueAsync(Func<Task<bool>> condition, Func<string> otherwise, TimeSpan? within = null)
    {
        var started = Stopwatch.GetTimestamp();
        while (!await condition())
        {
            if (Stopwatch.GetElapsedTime(started) > (within ?? TimeSpan.FromMinutes(2)))
                Assert.Fail(otherwise());
            await Task.Delay(10);
        }
    }

    /// <inheritdoc cref="TrueAsync(Func{Task{bool}}, string, TimeSpan?)"/>
    public static Task TrueAsync(Func<bool> condition, string otherwise, TimeSpan? within = null) =>
        TrueAsync(() => Task.FromResult(condition()), otherwise, within);
}

/// <summary>The processor time of this thread since it was made, for bounds on how long synchronous work takes: a busy machine does not add to it.</summary>
internal sealed class ThreadTime
{
    private const int TicksPerSecond = 100;

    private readonly TimeSpan _started = Now();

    public TimeSpan Elapsed => Now() - _started;

    /// <summary>Linux tells the time of a thread in hundredths of a second (proc(5), utime and stime); elsewhere it is the machine's clock.</summary>
    private static TimeSpan Now()
    {
        if (!OperatingSystem.IsLinux())
            return Stopwatch.GetElapsedTime(0);

        // The thread's name, in brackets, may have spaces.
        var stat = File.ReadAllText("/proc/thread-self/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return TimeSpan.FromSeconds((Number(fields[11]) + Number(fields[12])) / TicksPerSecond);

        static double Number(string field) => double.Parse(field, CultureInfo.InvariantCulture);
    }
}
