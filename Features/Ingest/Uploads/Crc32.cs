namespace ChatBackend.Features.Ingest.Uploads;

/// <summary>The checksum of a zip's entries (polynomial 0xEDB88320, reflected). ZipArchive does not compare it when it reads.</summary>
internal static class Crc32
{
    public const uint Start = uint.MaxValue;

    private static readonly uint[] Table = [.. Enumerable.Range(0, 256).Select(value => Enumerable.Range(0, 8).Aggregate((uint)value, (sum, _) => (sum >> 1) ^ ((sum & 1) * 0xEDB88320)))];

    /// <param name="checksum"><see cref="Start"/>, or the result of the bytes before.</param>
    public static uint Add(uint checksum, ReadOnlySpan<byte> bytes)
    {
        foreach (var value in bytes)
            checksum = (checksum >> 8) ^ Table[(byte)(checksum ^ value)];
        return checksum;
    }

    public static uint End(uint checksum) => ~checksum;
}
