using System.Buffers.Binary;

namespace ChatBackend.Infrastructure.Search.Meaning;

/// <summary>A vector as PostgreSQL keeps it: of length 1, so that a dot product is a cosine, in half precision (IEEE 754), little-endian.</summary>
internal static class StoredVector
{
    private const int Bytes = 2;

    public static int DimensionsOf(byte[] stored) => stored.Length / Bytes;

    public static byte[] Of(ReadOnlySpan<float> vector)
    {
        var stored = new byte[vector.Length * Bytes];
        var unit = Unit(vector);
        for (var i = 0; i < unit.Length; i++)
            BinaryPrimitives.WriteHalfLittleEndian(stored.AsSpan(i * Bytes), (Half)unit[i]);
        return stored;
    }

    public static float[] Read(byte[] stored)
    {
        var vector = new float[DimensionsOf(stored)];
        Read(stored, vector);
        return vector;
    }

    public static void Read(ReadOnlySpan<byte> stored, Span<float> vector)
    {
        for (var i = 0; i < vector.Length; i++)
            vector[i] = (float)BinaryPrimitives.ReadHalfLittleEndian(stored[(i * Bytes)..]);
    }

    /// <summary>The same direction with length 1; a vector of zeros stays as it is.</summary>
    public static float[] Unit(ReadOnlySpan<float> vector)
    {
        var sum = 0d;
        foreach (var number in vector)
            sum += (double)number * number;
        var length = Math.Sqrt(sum);
        var unit = vector.ToArray();
        if (length > 0)
        {
            for (var i = 0; i < unit.Length; i++)
                unit[i] = (float)(unit[i] / length);
        }

        return unit;
    }
}
