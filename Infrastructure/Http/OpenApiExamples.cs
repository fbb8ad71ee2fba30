using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace ChatBackend.Infrastructure.Http;

/// <summary>Gives every body of the description an example, made of the examples of its members.</summary>
internal static class OpenApiExamples
{
    /// <summary>Deeper than any body of ours; keeps a schema that holds itself from going on for ever.</summary>
    private const int MaxDepth = 8;

    public static void Add(OpenApiDocument document)
    {
        foreach (var operation in document.Paths.Values.SelectMany(p => p.Operations?.Values ?? Enumerable.Empty<OpenApiOperation>()))
        {
            IEnumerable<IDictionary<string, OpenApiMediaType>?> bodies = [operation.RequestBody?.Content, .. operation.Responses?.Values.Select(r => r.Content) ?? []];
            foreach (var content in bodies.OfType<IDictionary<string, OpenApiMediaType>>().SelectMany(c => c.Values))
                content.Example ??= content.Schema is { } schema ? Of(schema, 0) : null;
        }
    }

    private static JsonNode? Of(IOpenApiSchema schema, int depth)
    {
        if (schema.Examples is [var example, ..])
            return example.DeepClone();
        if ((schema.Default ?? schema.Enum?.FirstOrDefault()) is { } value)
            return value.DeepClone();
        if ((schema.OneOf ?? schema.AnyOf ?? schema.AllOf)?.LastOrDefault() is { } one)
            return Of(one, depth + 1);

        var type = schema.Type & ~JsonSchemaType.Null;
        return type switch
        {
            _ when depth > MaxDepth => null,
            JsonSchemaType.Object when schema.Properties is { Count: > 0 } properties =>
                new JsonObject(properties.Select(p => KeyValuePair.Create(p.Key, Of(p.Value, depth + 1)))),
            JsonSchemaType.Object when schema.AdditionalProperties is { } member => new JsonObject { ["name"] = Of(member, depth + 1) },
            JsonSchemaType.Object => new JsonObject(),
            JsonSchemaType.Array => new JsonArray(schema.Items is { } items ? [Of(items, depth + 1)] : []),
            JsonSchemaType.Integer => 1,
            JsonSchemaType.Number => 1.5,
            JsonSchemaType.Boolean => true,
            JsonSchemaType.String when schema.Format is "uuid" => "019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21",
            JsonSchemaType.String when schema.Format is "date-time" => "2026-03-01T09:30:00Z",
            JsonSchemaType.String => "text",
            _ => null,
        };
    }
}
