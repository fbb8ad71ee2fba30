namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>A stream of server-sent events. An event that is larger than any answer fails, because the parser would buffer it without a limit.</summary>
internal sealed class BoundedEvents(Stream inner) : Stream
{
    /// <summary>4 MiB: a server may send the longest answer that the settings allow in one event, escaped.</summary>
    public const int MostBytes = 4 * 1024 * 1024;

    private int _bytes;

    public override bool CanRead => true;

    public override bool CanSeek => false;

    public override bool CanWrite => false;

    public override long Length => throw new NotSupportedException();

    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Counts from zero again, for the next event.</summary>
    public void Restart() => _bytes = 0;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var count = await inner.ReadAsync(buffer, cancellationToken);
        _bytes += count;
        return _bytes <= MostBytes ? count : throw ModelFaults.TooLong();
    }

    public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    public override void Flush() => throw new NotSupportedException();

    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
