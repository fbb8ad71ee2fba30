using System.Buffers;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChatBackend.Infrastructure.Http.Json;

/// <summary>Writes stored JSON of any depth: the serializer's depth limit would break off a response in the middle.</summary>
internal sealed class AnyDepthConverter : JsonConverter<JsonElement>
{
    public override JsonElement Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => JsonElement.ParseValue(ref reader);

    public override void Write(Utf8JsonWriter writer, JsonElement value, JsonSerializerOptions options)
    {
        var text = new ArrayBufferWriter<byte>();
        using (var unbounded = new Utf8JsonWriter(text, new() { Encoder = options.Encoder, MaxDepth = int.MaxValue }))
            value.WriteTo(unbounded);
        writer.WriteRawValue(text.WrittenSpan, skipInputValidation: true);
    }
}
