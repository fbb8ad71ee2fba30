using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http.Problems;

namespace ChatBackend.Features.Ingest.Progress;

/// <summary>Waits while a dependency of a job is unavailable, up to <c>INGEST_PATIENCE</c>. Time that a server asked for (Retry-After) does not
/// count, up to <see cref="MostAsked"/>.</summary>
internal sealed class Patience(TimeSpan limit, TimeProvider time, JobProgress progress)
{
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan MostAsked = TimeSpan.FromMinutes(15);

    /// <param name="what">What is waited for, as the report shows it.</param>
    /// <param name="work">May run again after a failure.</param>
    public async Task<T> RunAsync<T>(string what, Func<CancellationToken, Task<T>> work, CancellationToken cancellationToken)
    {
        long? since = null;
        var asked = TimeSpan.Zero;
        var pause = FirstPause;
        while (true)
        {
            Exception failure;
            try
            {
                return await work(cancellationToken);
            }
            catch (Exception e) when (IsUnavailable(e) && !cancellationToken.IsCancellationRequested)
            {
                failure = e;
            }

            since ??= time.GetTimestamp();
            if (time.GetElapsedTime(since.Value) - asked >= limit)
                throw failure;
            var retryAfter = (failure as FailureException)?.RetryAfter;
            if (retryAfter is { } wait && asked + wait <= MostAsked)
                asked += wait;
            else
                retryAfter = null;

            using (progress.WaitsFor($"{what}: {Describe(failure)}"))
                await Task.Delay(retryAfter > pause ? retryAfter.Value : pause, time, cancellationToken);
            pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
        }
    }

    public Task RunAsync(string what, Func<CancellationToken, Task> work, CancellationToken cancellationToken) => RunAsync(
        what,
        async token =>
        {
            await work(token);
            return true;
        },
        cancellationToken);

    private static bool IsUnavailable(Exception exception) => exception switch
    {
        // What makes slow calls time out is the embedder's matter.
        ModelException e => e is { IsTransient: true, IsSettings: false, Failure: not ModelFailure.Timeout },
        FailureException e => e.IsUnavailable,
        _ => exception.IsDatabaseUnavailable(),
    };

    private static string Describe(Exception exception) => exception is FailureException ? exception.Message : ExceptionMapping.ToFailure(exception).Detail;
}
