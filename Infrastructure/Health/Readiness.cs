using System.ComponentModel.DataAnnotations;
using System.Diagnostics;

namespace ChatBackend.Infrastructure.Health;

/// <summary>A dependency that <c>/health/ready</c> reports. <c>CheckAsync</c> returns a word about its state, or throws.</summary>
internal sealed record Dependency(string Name, bool IsRequired, Func<CancellationToken, Task<string>> CheckAsync)
{
    /// <summary>Completes when the start-up work on it has ended, successfully or not.</summary>
    public Task Started { get; init; } = Task.CompletedTask;
}

/// <summary>The dependency is not ready; <paramref name="state"/> says what it waits for, and is public.</summary>
internal sealed class NotReadyException(string state) : Exception(state);

/// <summary>The state of one dependency.</summary>
/// <param name="Status"><c>healthy</c> or <c>unhealthy</c>.</param>
/// <param name="Detail">A word about it: <c>migrated</c>, <c>offline</c>, <c>unreachable</c>, or what it waits for.</param>
/// <param name="LatencyMs">How long the check took, in milliseconds.</param>
/// <example>{"status":"healthy","detail":"migrated","latency_ms":2.1}</example>
internal sealed record DependencyState([property: AllowedValues("healthy", "unhealthy")] string Status, string Detail, double LatencyMs);

/// <summary>The report of <c>/health/ready</c>.</summary>
/// <param name="Status"><c>ready</c>; <c>degraded</c> when only an optional dependency is unavailable; or <c>unavailable</c>.</param>
/// <param name="Dependencies">Each dependency by its name: <c>database</c>, <c>model</c>, <c>index</c> or <c>qdrant</c>, and <c>sample_book</c> where it is in use.</param>
/// <example>{"status":"ready","dependencies":{"database":{"status":"healthy","detail":"migrated","latency_ms":2.1},
/// "index":{"status":"healthy","detail":"153 passages","latency_ms":0},"model":{"status":"healthy","detail":"gpt-4o-mini","latency_ms":0.1}}}</example>
internal sealed record ReadinessResponse([property: AllowedValues("ready", "degraded", "unavailable")] string Status, IReadOnlyDictionary<string, DependencyState> Dependencies)
{
    [System.Text.Json.Serialization.JsonIgnore]
    public bool IsReady => Status != "unavailable";
}

/// <summary>Checks each dependency. The report is kept for two seconds, so that frequent probes do not load a busy database.</summary>
internal sealed class Readiness(IEnumerable<Dependency> dependencies, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Kept = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan CheckTimeout = TimeSpan.FromSeconds(3);

    private readonly SemaphoreSlim _one = new(1, 1);
    private ReadinessResponse? _last;
    private long _lastAt;

    public async Task<ReadinessResponse> CheckAsync(CancellationToken cancellationToken)
    {
        await _one.WaitAsync(cancellationToken);
        try
        {
            if (_last is null || time.GetElapsedTime(_lastAt) > Kept)
            {
                var states = await Task.WhenAll(dependencies.Select(async d => (d, State: await CheckAsync(d, cancellationToken))));
                var isReady = states.All(s => !s.d.IsRequired || s.State.Status == "healthy");
                var isWhole = states.All(s => s.State.Status == "healthy");
                _last = new(!isReady ? "unavailable" : isWhole ? "ready" : "degraded", states.ToDictionary(s => s.d.Name, s => s.State));
                _lastAt = time.GetTimestamp();
            }

            return _last;
        }
        finally
        {
            _one.Release();
        }
    }

    private static async Task<DependencyState> CheckAsync(Dependency dependency, CancellationToken cancellationToken)
    {
        var started = Stopwatch.GetTimestamp();
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(CheckTimeout);
        try
        {
            var detail = await dependency.CheckAsync(timeout.Token);
            return new("healthy", detail, Elapsed());
        }
        catch (NotReadyException e)
        {
            return new("unhealthy", e.Message, Elapsed());
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // The log of the request that failed has the cause; this page is public.
            return new("unhealthy", timeout.IsCancellationRequested ? "timeout" : "unreachable", Elapsed());
        }

        double Elapsed() => Math.Round(Stopwatch.GetElapsedTime(started).TotalMilliseconds, 1);
    }

    public void Dispose() => _one.Dispose();
}
