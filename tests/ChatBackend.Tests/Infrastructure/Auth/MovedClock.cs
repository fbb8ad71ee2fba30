namespace ChatBackend.Tests.Infrastructure.Auth;

/// <summary>The machine's clock with an offset that tests set; timers are real.</summary>
internal sealed class MovedClock : TimeProvider
{
    private DateTimeOffset? _stoppedAt;
    private TimeSpan _moved;

    public override DateTimeOffset GetUtcNow() => (_stoppedAt ?? base.GetUtcNow()) + _moved;

    public override long GetTimestamp() => base.GetTimestamp() + (long)(_moved.TotalSeconds * TimestampFrequency);

    /// <summary>Stops at this time until it is moved.</summary>
    public void StopAt(DateTimeOffset time) => (_stoppedAt, _moved) = (time, TimeSpan.Zero);

    public void Move(TimeSpan by) => _moved += by;
}
