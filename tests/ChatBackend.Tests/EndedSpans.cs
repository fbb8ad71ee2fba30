using System.Diagnostics;

namespace ChatBackend.Tests;

/// <summary>Counts the ended spans of a source, so that a test knows how many requests or statements are done.</summary>
internal sealed class EndedSpans : IDisposable
{
    private readonly ActivityListener _listener;
    private int _count;

    /// <param name="source">An activity source: <c>Npgsql</c> for statements, <c>Microsoft.AspNetCore</c> for requests.</param>
    /// <param name="counts">Which spans to count; those of other tests arrive here too.</param>
    public EndedSpans(string source, Func<Activity, bool> counts)
    {
        _listener = new()
        {
            ShouldListenTo = s => s.Name == source,
            Sample = (ref _) => ActivitySamplingResult.AllData,
            ActivityStopped = span => Interlocked.Add(ref _count, counts(span) ? 1 : 0),
        };
        ActivitySource.AddActivityListener(_listener);
    }

    /// <summary>Waits until this many have ended.</summary>
    public Task CountAsync(int count) => Until.TrueAsync(() => Volatile.Read(ref _count) >= count, $"{count} did not end.");

    public void Dispose() => _listener.Dispose();
}
