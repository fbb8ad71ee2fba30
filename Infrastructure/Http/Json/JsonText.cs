using System.Runtime.InteropServices;
using System.Text.Json;

namespace ChatBackend.Infrastructure.Http.Json;

/// <summary>What free-form JSON may hold to be stored and given back.</summary>
internal static class JsonText
{
    /// <summary>How deep it may be nested, its outermost object or array counted. Many parsers, ours too, end at 64.</summary>
    public const int MaxDepth = 32;

    /// <summary>Reads what is stored however deep it is. Not for bodies: what the parser does grows with the square of the depth.</summary>
    public static readonly JsonDocumentOptions AnyDepth = new() { MaxDepth = int.MaxValue };

    /// <summary>What is wrong with it, to follow a field's name; null when PostgreSQL can store it as <c>jsonb</c> and clients can read it.</summary>
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
            // What the reader throws for text that is no UTF-16: \ud800 without its other half, a stray byte.
            return NotStorable;
        }
    }

    private const string NotStorable = "must not hold U+0000, half a surrogate pair or invalid UTF-8, in keys or values.";
}
