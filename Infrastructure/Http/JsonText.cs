using System.Runtime.InteropServices;
using System.Text.Json;

namespace ChatBackend.Infrastructure.Http;

/// <summary>What free-form JSON may hold to be stored.</summary>
internal static class JsonText
{
    /// <summary>What to say where <see cref="IsStorable"/> says no; follows a field's name.</summary>
    public const string NotStorable = "must not hold U+0000, half a surrogate pair or invalid UTF-8, in keys or values.";

    /// <summary>True when PostgreSQL can store every key and string in it as <c>jsonb</c>.</summary>
    public static bool IsStorable(JsonElement json)
    {
        var reader = new Utf8JsonReader(JsonMarshal.GetRawUtf8Value(json));
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && !ValidationFilter.IsStorable(reader.GetString()))
                    return false;
            }

            return true;
        }
        catch (InvalidOperationException)
        {
            // What the reader throws for text that is no UTF-16: \ud800 without its other half, a stray byte.
            return false;
        }
    }
}
