using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using Polly;
using Polly.CircuitBreaker;

namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>The only retry loop around models; the SDK's own is off. Each model has a circuit breaker, so that a failing one costs milliseconds.</summary>
internal sealed class ModelAttempts(IOptions<ModelLimits> options, TimeProvider time)
{
    private readonly ModelLimits _limits = options.Value;
    private readonly ConcurrentDictionary<string, (ResiliencePipeline Pipeline, CircuitBreakerStateProvider State)> _breakers = new();

    public bool IsOpen(string model) =>
        _breakers.TryGetValue(model, out var breaker) && breaker.State.CircuitState is CircuitState.Open or CircuitState.Isolated;

    /// <param name="budget">The time for all of them.</param>
    /// <param name="isLastModel">False when there is a fallback: long waits and timeouts of this model are not retried then.</param>
    /// <param name="attempt">One attempt; throws <see cref="ModelException"/>, or is cancelled.</param>
    /// <exception cref="ModelException">The last attempt's.</exception>
    public async Task<T> RunAsync<T>(
        ModelCall call, string model, int attempts, ModelBudget budget, bool isLastModel, Func<CancellationToken, Task<T>> attempt, CancellationToken cancellationToken)
    {
        var (pipeline, _) = _breakers.GetOrAdd(model, CreateBreaker);
        for (var left = attempts - 1; ; left--)
        {
            ModelException failure;
            try
            {
                return await pipeline.ExecuteAsync(
                    async token =>
                    {
                        call.Attempts++;
                        return await attempt(token);
                    },
                    cancellationToken);
            }
            catch (BrokenCircuitException e)
            {
                // There is no retry-after while a request probes the model.
                throw ModelFaults.CircuitOpen(e.RetryAfter ?? TimeSpan.FromSeconds(1));
            }
            catch (ModelException e) when (e.IsTransient && left > 0 && (isLastModel || e.Failure != ModelFailure.Timeout))
            {
                failure = e;
            }

            var wait = Wait(failure.RetryAfter);
            if (wait >= (isLastModel ? budget.Remaining : TimeSpan.FromTicks(Math.Min(budget.Remaining.Ticks, _limits.RetryMax.Ticks + 1))))
                throw failure;
            await Task.Delay(wait, time, cancellationToken);
        }
    }

    /// <summary>The server's Retry-After, or a random wait, so that requests that failed together do not retry together.</summary>
    private TimeSpan Wait(TimeSpan? retryAfter)
    {
        var jitter = _limits.RetryMin + ((_limits.RetryMax - _limits.RetryMin) * Random.Shared.NextDouble());

        return retryAfter is { } asked ? (asked > _limits.RetryMin ? asked : _limits.RetryMin) : jitter;
    }

    private (ResiliencePipeline, CircuitBreakerStateProvider) CreateBreaker(string model)
    {
        var state = new CircuitBreakerStateProvider();
        var pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddCircuitBreaker(new()
            {
                MinimumThroughput = _limits.BreakerMinimum,
                FailureRatio = _limits.BreakerRatio,
                SamplingDuration = _limits.BreakerWindow,
                BreakDuration = _limits.BreakerOpen,
                ShouldHandle = arguments => ValueTask.FromResult(arguments.Outcome.Exception is ModelException { IsOutage: true }),
                StateProvider = state,
            })
            .Build();

        return (pipeline, state);
    }
}

/// <summary>The time budget of all attempts together.</summary>
internal sealed class ModelBudget(TimeSpan total, TimeProvider time) : IDisposable
{
    private readonly CancellationTokenSource _source = new(total, time);
    private readonly long _started = time.GetTimestamp();

    public CancellationToken Token => _source.Token;

    public TimeSpan Total => total;

    public TimeSpan Remaining => total - time.GetElapsedTime(_started);

    public void Dispose() => _source.Dispose();
}
