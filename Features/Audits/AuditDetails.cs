using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using ChatBackend.Infrastructure.Http;

namespace ChatBackend.Features.Audits;

/// <summary>Decides whether an object can be stored as details and given back with the same values.</summary>
internal static class AuditDetails
{
    /// <summary>The most bytes of compact UTF-8 that details may take, numbers written out: 64 KiB.</summary>
    public const int MaxBytes = 64 * 1024;

    /// <summary>The most digits after the decimal point that PostgreSQL's numeric holds (manual, 8.1.2).</summary>
    private const int MaxFractionDigits = 16383;

    /// <summary>What is wrong with the details, for a person; null when nothing is.</summary>
    public static string? Fault(JsonElement details)
    {
        if (details.ValueKind is not JsonValueKind.Object)
            return "details must be a JSON object.";
        if (JsonText.Fault(details) is { } fault)
            return $"details {fault}";

        // Every value but the outermost counts for the comma after it, and every container takes back its last one's.
        var bytes = -1L;
        var previous = JsonTokenType.None;
        var reader = new Utf8JsonReader(JsonMarshal.GetRawUtf8Value(details));
        while (reader.Read())
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.EndObject or JsonTokenType.EndArray:
                    bytes += previous is JsonTokenType.StartObject or JsonTokenType.StartArray ? 1 : 0;
                    break;
                case JsonTokenType.String or JsonTokenType.PropertyName:
                    bytes += WrittenBytes(reader.GetString()!) + 1;
                    break;
                case JsonTokenType.Number:
                    var (whole, fraction) = WrittenDigits(Encoding.ASCII.GetString(reader.ValueSpan));
                    if (fraction > MaxFractionDigits)
                        return $"details must not hold a number with more than {MaxFractionDigits} digits after the decimal point.";
                    bytes += whole + (fraction > 0 ? fraction + 1 : 0) + 1;
                    break;
                default:
                    bytes += reader.ValueSpan.Length + 1;
                    break;
            }

            previous = reader.TokenType;
        }

        return bytes > MaxBytes ? $"details must be {MaxBytes / 1024} KiB or less, with its numbers written out." : null;
    }

    /// <summary>The bytes of a string between its quotes, escaped no more than JSON demands.</summary>
    private static long WrittenBytes(string text)
    {
        var bytes = Encoding.UTF8.GetByteCount(text) + 2L;
        foreach (var c in text)
            bytes += c is '"' or '\\' or '\b' or '\f' or '\n' or '\r' or '\t' ? 1 : c < ' ' ? 5 : 0;
        return bytes;
    }

    /// <summary>
    /// The characters before and the digits after the decimal point once an exponent is written out, as PostgreSQL does:
    /// 1e400000 is nine bytes here and 400,001 in every answer.
    /// </summary>
    private static (long Whole, long Fraction) WrittenDigits(string number)
    {
        var mark = number.AsSpan().IndexOfAny('e', 'E');
        // Read as a double, as no integer holds every exponent; far beyond any size that is allowed, one is as good as another.
        var exponent = mark < 0 ? 0 : (long)Math.Clamp(double.Parse(number.AsSpan(mark + 1)), int.MinValue, int.MaxValue);
        var digits = (mark < 0 ? number : number[..mark]).Split('.');
        var fraction = digits is [_, var decimals] ? decimals.Length : 0;
        return (Math.Max(1, digits[0].Length + exponent), Math.Max(0, fraction - exponent));
    }
}
