using System.Runtime.InteropServices;
using System.Text.Json;

namespace ChatBackend.Infrastructure.Http.Json;

internal static class JsonText
{
    /// <summary>The greatest depth, including the outermost object or array. Many parsers, such as System.Text.Json, stop at 64.</summary>
    public const int MaxDepth = 32;

    /// <summary>For stored JSON of any depth. Not for request bodies: the parser's work grows with the square of the depth.</summary>
    public static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    /// <summary>The fault, worded to follow a field's name; null when PostgreSQL can store the value as <c>jsonb</c> and clients can read it.</summary>
    public static string? Fault(JsonElement json, int maxDepth = MaxDepth)
    {
        var reader = new Utf8JsonReader(JsonMarshal.GetRawUtf8Value(json));
        try
        {
            while (reader.Read())
            {
                if (reader.TokenType is JsonTokenType.StartObject or JsonTokenType.StartArray && reader.CurrentDepth >= maxDepth)
                    return $"must not be nested more than {MaxDepth} levels deep.";
                if (reader.TokenType is JsonTokenType.String or JsonTokenType.PropertyName && !ValidationFilter.IsStorable(reader.GetString()))
                    return NotStorable;
            }

            return null;
        }
        catch (InvalidOperationException)
        {
            // The reader throws this for an unpaired surrogate or invalid UTF-8.
            return NotStorable;
        }
    }

    private const string NotStorable = "must not hold U+0000, half a surrogate pair or invalid UTF-8, in keys or values.";
}
