using System.Buffers;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using ChatBackend.Infrastructure.Http.Json;

namespace ChatBackend.Features.Audits;

internal static class AuditDetails
{
    /// <summary>The limit in bytes of compact UTF-8, with the exponents of numbers written out: 64 KiB.</summary>
    private const int MaxBytes = 64 * 1024;

    /// <summary>PostgreSQL's numeric holds at most this many digits after the decimal point (manual, 8.1.2).</summary>
    private const int MaxFractionDigits = 16383;

    public static string? Fault(JsonElement details)
    {
        if (details.ValueKind is not JsonValueKind.Object)
            return "details must be a JSON object.";
        if (JsonText.Fault(details) is { } fault)
            return $"details {fault}";

        // Measured as in a response: without white space, and with no more escapes than JSON requires.
        var compact = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(compact, new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
            details.WriteTo(writer);

        // PostgreSQL writes exponents out: 1e400000 takes 8 bytes here and 400,001 in every response.
        long bytes = compact.WrittenCount;
        var reader = new Utf8JsonReader(compact.WrittenSpan);
        while (reader.Read())
        {
            if (reader.TokenType is not JsonTokenType.Number)
                continue;
            var (whole, fraction) = WrittenDigits(Encoding.ASCII.GetString(reader.ValueSpan));
            if (fraction > MaxFractionDigits)
                return $"details must not hold a number with more than {MaxFractionDigits} digits after the decimal point.";
            bytes += whole + (fraction > 0 ? fraction + 1 : 0) - reader.ValueSpan.Length;
        }

        return bytes > MaxBytes ? $"details must be {MaxBytes / 1024} KiB or less, with its numbers written out." : null;
    }

    private static (long Whole, long Fraction) WrittenDigits(string number)
    {
        var mark = number.AsSpan().IndexOfAny('e', 'E');
        // Read as a double, because no integer type holds every exponent.
        var exponent = mark < 0 ? 0 : (long)Math.Clamp(double.Parse(number.AsSpan(mark + 1)), int.MinValue, int.MaxValue);
        var digits = (mark < 0 ? number : number[..mark]).Split('.');
        var fraction = digits is [_, var decimals] ? decimals.Length : 0;
        return (Math.Max(1, digits[0].Length + exponent), Math.Max(0, fraction - exponent));
    }
}
