namespace ChatBackend.Tests.Infrastructure.Auth;

/// <summary>The machine's clock, moved at will; timers stay real.</summary>
internal sealed class MovedClock : TimeProvider
{
    private DateTimeOffset? _stoppedAt;
    private TimeSpan _moved;

    public override DateTimeOffset GetUtcNow() => (_stoppedAt ?? base.GetUtcNow()) + _moved;

    public override long GetTimestamp() => base.GetTimestamp() + (long)(_moved.TotalSeconds * TimestampFrequency);

    /// <summary>Stands still at this time, until moved.</summary>
    public void StopAt(DateTimeOffset time) => (_stoppedAt, _moved) = (time, TimeSpan.Zero);

    public void Move(TimeSpan by) => _moved += by;
}
