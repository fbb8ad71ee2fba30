using System.Runtime.CompilerServices;

namespace ChatBackend.Infrastructure.Search.Memory;

/// <summary>A growing array of bytes. Numbers take 7 bits a byte, the lowest first (LEB128), so that small ones take one byte.</summary>
internal struct NumberWriter
{
    private byte[]? _bytes;

    public int Count { get; private set; }

    public readonly ReadOnlySpan<byte> Written => _bytes.AsSpan(0, Count);

    /// <param name="number">0 or more.</param>
    public void Add(int number)
    {
        var left = (uint)number;
        for (; left > 0x7F; left >>= 7)
            AddByte((byte)(left | 0x80));
        AddByte((byte)left);
    }

    public void Add(scoped ReadOnlySpan<byte> bytes)
    {
        Grow(bytes.Length);
        bytes.CopyTo(_bytes.AsSpan(Count));
        Count += bytes.Length;
    }

    private void AddByte(byte value)
    {
        Grow(1);
        _bytes![Count++] = value;
    }

    private void Grow(int more)
    {
        if (_bytes is null || _bytes.Length - Count < more)
            Array.Resize(ref _bytes, Math.Max(Count + more, Count * 2));
    }
}

/// <summary>Reads what a <see cref="NumberWriter"/> wrote.</summary>
internal ref struct NumberReader(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;
    private int _at;

    public readonly bool IsAtEnd => _at >= _bytes.Length;

    /// <summary>What was not read yet.</summary>
    public readonly ReadOnlySpan<byte> Rest => _bytes[_at..];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public int Next()
    {
        int next = _bytes[_at++];
        return next <= 0x7F ? next : NextLong(next & 0x7F);
    }

    public ReadOnlySpan<byte> Take(int count)
    {
        _at += count;
        return _bytes.Slice(_at - count, count);
    }

    private int NextLong(int number)
    {
        for (var shift = 7; ; shift += 7)
        {
            int next = _bytes[_at++];
            number |= (next & 0x7F) << shift;
            if (next <= 0x7F)
                return number;
        }
    }
}
