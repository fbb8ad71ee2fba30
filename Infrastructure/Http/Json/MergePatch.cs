using System.Buffers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Infrastructure.Http.Json;

/// <summary>JSON merge patch (RFC 7396).</summary>
internal static class MergePatch
{
    public const string MediaType = "application/merge-patch+json";

    public static RouteHandlerBuilder AcceptsMergePatch<T>(this RouteHandlerBuilder route) where T : notnull => route
        .Accepts<T>(MediaType, "application/json")
        .FailsWithInvalid<T>();

    /// <summary>A 400 that names the invalid member, if there is one; null when the patch is valid.</summary>
    public static ProblemHttpResult? Fault(JsonElement patch)
    {
        if (patch.ValueKind is not JsonValueKind.Object)
            return Problem.Invalid("body", "body must be a JSON object: a merge patch (RFC 7396).");
        // The patch itself is one level more than its members.
        if (JsonText.Fault(patch, JsonText.MaxDepth + 1) is not { } fault)
            return null;

        // The raw name: one with an unpaired surrogate cannot be read as a string.
        var member = patch.EnumerateObject().FirstOrDefault(m => JsonText.Fault(m.Value) is not null);
        var field = member.Value.ValueKind is JsonValueKind.Undefined ? "body" : Encoding.UTF8.GetString(JsonMarshal.GetRawUtf8PropertyName(member));
        return Problem.Invalid(field, $"{field} {fault}");
    }

    /// <exception cref="BadHttpRequestException">A value is of the wrong type; the inner exception has its path.</exception>
    public static TRequest Apply<TRecord, TRequest>(TRecord record, JsonElement patch, JsonSerializerOptions json)
    {
        try
        {
            var before = JsonElement.Parse(JsonSerializer.SerializeToUtf8Bytes(record, json), JsonText.AnyDepth);
            return Apply(before, patch).Deserialize<TRequest>(json)!;
        }
        catch (JsonException e)
        {
            // Without the inner exception, which would mean malformed JSON: here a member has the wrong type or is nested too deeply.
            throw new BadHttpRequestException("The patch does not fit.", StatusCodes.Status400BadRequest, new JsonException(e.Message, e.Path, null, null));
        }
    }

    /// <summary>Merges objects; null removes, anything else replaces. Numbers keep their spelling, which a JsonNode of doubles would lose.</summary>
    public static JsonElement Apply(JsonElement target, JsonElement patch)
    {
        var buffer = new ArrayBufferWriter<byte>();
        using (var writer = new Utf8JsonWriter(buffer, new() { MaxDepth = int.MaxValue }))
            Write(writer, target, patch);
        return JsonElement.Parse(buffer.WrittenSpan, JsonText.AnyDepth);
    }

    private static void Write(Utf8JsonWriter writer, JsonElement? target, JsonElement patch)
    {
        if (patch.ValueKind is not JsonValueKind.Object)
        {
            patch.WriteTo(writer);
            return;
        }

        writer.WriteStartObject();
        var before = target is { ValueKind: JsonValueKind.Object } it ? it : default(JsonElement?);
        foreach (var member in before?.EnumerateObject() ?? default)
        {
            if (!patch.TryGetProperty(member.Name, out _))
                member.WriteTo(writer);
        }

        foreach (var change in patch.EnumerateObject().Where(c => c.Value.ValueKind is not JsonValueKind.Null))
        {
            writer.WritePropertyName(change.Name);
            Write(writer, before is { } old && old.TryGetProperty(change.Name, out var value) ? value : null, change.Value);
        }

        writer.WriteEndObject();
    }
}
