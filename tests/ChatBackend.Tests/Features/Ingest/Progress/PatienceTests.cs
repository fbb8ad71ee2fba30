using ChatBackend.Features.Ingest.Progress;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Tests.Features.Ingest.Progress;

/// <summary>A server that says when to come back, on a clock that the test moves.</summary>
public sealed class PatienceTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    private readonly FakeClock _clock = new();
    private int _calls;

    [Fact]
    public async Task A_server_gets_the_time_that_it_asks_for_and_the_limit_does_not_count_it()
    {
        // Five minutes in all.
        var waiting = WaitAsync(TimeSpan.FromSeconds(20), failures: 15);

        for (var call = 1; call <= 15; call++)
        {
            await Until.TrueAsync(() => _calls == call && _clock.IsAwaitedWithin(TimeSpan.FromSeconds(20)), $"call {call} was not made");
            Assert.False(_clock.IsAwaitedWithin(TimeSpan.FromSeconds(19)));
            _clock.Advance(TimeSpan.FromSeconds(20));
        }

        await waiting;
    }

    [Fact]
    public async Task A_server_that_asks_for_an_hour_is_waited_for_as_long_as_any_other()
    {
        var waiting = WaitAsync(TimeSpan.FromHours(1), failures: int.MaxValue);

        var start = _clock.GetUtcNow();
        while (!waiting.IsCompleted)
        {
            var calls = _calls;
            await Until.TrueAsync(() => waiting.IsCompleted || _clock.IsAwaitedWithin(TimeSpan.FromSeconds(5)), "no other call was made within 5 seconds");
            if (waiting.IsCompleted)
                break;
            _clock.Advance(TimeSpan.FromSeconds(5));
            await Until.TrueAsync(() => waiting.IsCompleted || _calls > calls, "the call was not made");
        }

        await Assert.ThrowsAsync<SearchException>(() => waiting);
        Assert.Equal(Limit, _clock.GetUtcNow() - start);
    }

    private Task WaitAsync(TimeSpan retryAfter, int failures) => new Patience(Limit, _clock, new(IngestReport.Empty)).RunAsync(
        "the index",
        _ => ++_calls <= failures ? throw new SearchException(isUnavailable: true, "It has too many requests.") { RetryAfter = retryAfter } : Task.CompletedTask,
        CancellationToken.None);
}
