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

    /// <summary>The route takes a merge patch of <typeparamref name="T"/>, as such or as plain JSON.</summary>
    public static RouteHandlerBuilder AcceptsMergePatch<T>(this RouteHandlerBuilder route) where T : notnull => route
        .Accepts<T>(MediaType, "application/json")
        .FailsWithInvalid<T>();

    /// <summary>The 400 for a patch that cannot be used, with its member named where one is at fault; null when it can.</summary>
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

    /// <summary>A record with the patch applied, as the request that would write it.</summary>
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
            // Without the inner exception, which stands for malformed JSON: here a member does not fit, or was stored too deep.
            throw new BadHttpRequestException("The patch does not fit.", StatusCodes.Status400BadRequest, new JsonException(e.Message, e.Path, null, null));
        }
    }

    /// <summary>
    /// The target with the patch applied: objects are merged, null removes, all else replaces. Numbers keep their
    /// spelling, as they would not in a <see cref="System.Text.Json.Nodes.JsonNode"/> made of doubles.
    /// </summary>
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
