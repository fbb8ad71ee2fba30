using System.Text.Json.Nodes;
using Microsoft.OpenApi;

namespace ChatBackend.Infrastructure.Http;

/// <summary>Gives every body of the description an example, made of the examples of its members.</summary>
internal static class OpenApiExamples
{
    /// <summary>Deeper than any body of ours; keeps a schema that holds itself from going on for ever.</summary>
    private const int MaxDepth = 8;

    /// <summary>Stands where a text has no example.</summary>
    public const string Missing = "(no example)";

    public static void Add(OpenApiDocument document)
    {
        foreach (var operation in document.Paths.Values.SelectMany(p => p.Operations?.Values ?? Enumerable.Empty<OpenApiOperation>()))
        {
            IEnumerable<IDictionary<string, OpenApiMediaType>?> bodies = [operation.RequestBody?.Content, .. operation.Responses?.Values.Select(r => r.Content) ?? []];
            foreach (var content in bodies.OfType<IDictionary<string, OpenApiMediaType>>().SelectMany(c => c.Values))
                content.Example ??= content.Schema is { } schema ? Of(document, schema, 0) : null;
        }
    }

    private static JsonNode? Of(OpenApiDocument document, IOpenApiSchema schema, int depth)
    {
        if (schema is OpenApiSchemaReference { Reference.Id: { } name })
            return Of(document, document.Components!.Schemas![name], depth);
        if (schema.Examples is [var example, ..])
            return example.DeepClone();
        if (schema is OpenApiSchema { Metadata: { } metadata } && metadata.TryGetValue(nameof(ExampleAttribute), out var json))
            return Complete(document, schema, JsonNode.Parse((string)json)!.AsObject(), depth);
        if ((schema.Default ?? schema.Enum?.FirstOrDefault()) is { } value)
            return value.DeepClone();
        if ((schema.OneOf ?? schema.AnyOf ?? schema.AllOf)?.LastOrDefault() is { } one)
            return Of(document, one, depth + 1);

        var type = schema.Type & ~JsonSchemaType.Null;
        return type switch
        {
            _ when depth > MaxDepth => null,
            JsonSchemaType.Object when schema.Properties is { Count: > 0 } => Complete(document, schema, [], depth),
            JsonSchemaType.Object when schema.AdditionalProperties is { } member => new JsonObject { ["name"] = Of(document, member, depth + 1) },
            JsonSchemaType.Object => new JsonObject(),
            JsonSchemaType.Array => new JsonArray(schema.Items is { } items ? [Of(document, items, depth + 1)] : []),
            JsonSchemaType.Integer => 1,
            JsonSchemaType.Number => 1.5,
            JsonSchemaType.Boolean => true,
            JsonSchemaType.String when schema.Format is "uuid" => "019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21",
            JsonSchemaType.String when schema.Format is "date-time" => "2026-03-01T09:30:00Z",
            // The tests find it: whoever adds a member gives an example of it.
            JsonSchemaType.String => Missing,
            _ => null,
        };
    }

    /// <summary>The members in their order: as given, else of their own examples; what may be left out only where it has one.</summary>
    private static JsonObject Complete(OpenApiDocument document, IOpenApiSchema schema, JsonObject given, int depth) => new(
        from property in schema.Properties
        let isGiven = given.ContainsKey(property.Key)
        where isGiven || schema.Required?.Contains(property.Key) is true || property.Value.Examples is [_, ..]
        select KeyValuePair.Create(property.Key, isGiven ? given[property.Key]?.DeepClone() : Of(document, property.Value, depth + 1)));
}
