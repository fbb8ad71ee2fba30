using System.Diagnostics;

namespace ChatBackend.Bench;

/// <summary>Clients that each send one request after the other, without a pause.</summary>
internal static class Load
{
    /// <param name="time">No request begins after it. Each client sends at least one.</param>
    /// <param name="request">Takes the client's random numbers, which are the same in every run. False if the answer was not the right one.</param>
    /// <param name="spread">The clients begin at random moments within it; by default all at once.</param>
    public static async Task<Result> RunAsync(int clients, TimeSpan time, Func<Random, Task<bool>> request, TimeSpan spread = default)
    {
        var started = Stopwatch.GetTimestamp();
        var all = await Task.WhenAll(Enumerable.Range(0, clients).Select(i => Task.Run(async () =>
        {
            var random = new Random(i);
            var times = new List<double>();
            var errors = 0;
            await Task.Delay(spread * random.NextDouble());
            do
            {
                var sent = Stopwatch.GetTimestamp();
                try
                {
                    if (await request(random))
                        times.Add(Stopwatch.GetElapsedTime(sent).TotalMilliseconds);
                    else
                        errors++;
                }
                catch (Exception e) when (e is HttpRequestException or TaskCanceledException or IOException)
                {
                    errors++;
                }
            }
            while (Stopwatch.GetElapsedTime(started) < time);

            return (times, errors);
        })));
        return new([.. all.SelectMany(c => c.times).Order()], all.Sum(c => c.errors), Stopwatch.GetElapsedTime(started).TotalSeconds);
    }
}

/// <summary>What was measured.</summary>
/// <param name="Sorted">The milliseconds of every right answer, shortest first.</param>
internal sealed record Result(double[] Sorted, int Errors, double Seconds)
{
    public int Requests => Sorted.Length + Errors;

    public double PerSecond => Requests / Seconds;

    /// <summary>The time within which this share of the requests was answered.</summary>
    public double Percentile(double share) => Sorted.Length == 0 ? double.NaN : Sorted[Math.Max(0, (int)Math.Ceiling(share * Sorted.Length) - 1)];
}
