using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Diagnostics.CodeAnalysis;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace ChatBackend.Infrastructure.Http;

/// <summary>Says what a member holds whose type only says JSON: stored text that is given back to the letter.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class JsonOfAttribute(Type type) : Attribute
{
    /// <summary>The type, or an array of it.</summary>
    public Type Type { get; } = type;
}

/// <summary>A body of the type, or a parameter, as JSON, for readers of the description; members that a body leaves out have examples of their own.</summary>
[AttributeUsage(AttributeTargets.Class | AttributeTargets.Property)]
internal sealed class ExampleAttribute([StringSyntax(StringSyntaxAttribute.Json)] string json) : Attribute
{
    /// <summary>The JSON.</summary>
    public string Json { get; } = json;
}

/// <summary>How the description tells of types: bounds, values, and what the framework cannot see.</summary>
internal static class OpenApiSchemas
{
    /// <summary>The name of a type's schema; free-form JSON has none of its own.</summary>
    public static string? NameOf(JsonTypeInfo type) =>
        typeof(JsonNode).IsAssignableFrom(type.Type) || (Nullable.GetUnderlyingType(type.Type) ?? type.Type) == typeof(JsonElement)
            ? null
            : OpenApiOptions.CreateDefaultSchemaReferenceId(type);

    /// <summary>Bounds and values that the validators check, from the attributes that repeat them for readers; free-form JSON.</summary>
    public static Task DescribeAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        var type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
        // The framework does not look into our converters.
        if (type == typeof(DateTimeOffset) || type == typeof(DateTime))
            (schema.Type, schema.Format) = (JsonSchemaType.String, "date-time");
        if (type.IsEnum)
            schema.Type = JsonSchemaType.String;
        // JSON that a client may fill as it likes is an object everywhere here.
        if (type == typeof(JsonElement))
            (schema.Type, schema.AdditionalPropertiesAllowed) = (JsonSchemaType.Object, true);
        // A member that cannot be set is made by us, in every answer.
        foreach (var made in context.JsonTypeInfo.Properties.Where(p => p.Set is null && schema.Properties?.ContainsKey(p.Name) is true))
            (schema.Required ??= new HashSet<string>(StringComparer.Ordinal)).Add(made.Name);
        if (type.GetCustomAttribute<ExampleAttribute>() is { } example)
            Remember(schema, nameof(ExampleAttribute), example.Json);
        if (context.JsonPropertyInfo is { } property)
            Describe(schema, property);
        return Task.CompletedTask;
    }

    private static void Describe(OpenApiSchema schema, JsonPropertyInfo property)
    {
        Attribute[] attributes = [.. property.AttributeProvider?.GetCustomAttributes(inherit: true).OfType<Attribute>() ?? []];
        // Nullable in C#, so that a validator can say that it is missing.
        if (attributes.OfType<RequiredAttribute>().Any())
            schema.Type &= ~JsonSchemaType.Null;
        else if (Nullable.GetUnderlyingType(property.PropertyType) is not null)
            schema.Type |= JsonSchemaType.Null;
        Apply(schema, attributes);

        if (attributes.OfType<JsonOfAttribute>().FirstOrDefault() is { } held)
            Remember(schema, nameof(JsonOfAttribute), (held.Type, property.IsGetNullable));
    }

    /// <summary>For those who complete the description once every schema is there; not part of it.</summary>
    private static void Remember(OpenApiSchema schema, string name, object what) =>
        (schema.Metadata ??= new Dictionary<string, object>(StringComparer.Ordinal))[name] = what;

    /// <summary>Puts what <see cref="JsonOfAttribute"/> names in its place, once every schema has its own.</summary>
    public static void Complete(OpenApiDocument document)
    {
        foreach (var schema in document.Components!.Schemas!.Values.SelectMany(s => s.Properties?.Values ?? []).OfType<OpenApiSchema>())
        {
            if (schema.Metadata?.TryGetValue(nameof(JsonOfAttribute), out var what) is not true || what is not (Type held, bool isNullable))
                continue;
            var item = new OpenApiSchemaReference((held.GetElementType() ?? held).Name, document);
            if (held.IsArray)
                (schema.Type, schema.Items) = (JsonSchemaType.Array, item);
            else
                schema.OneOf = isNullable ? [new OpenApiSchema { Type = JsonSchemaType.Null }, item] : [item];
        }
    }

    /// <summary>Adds what attributes say of a parameter or a member.</summary>
    public static void Apply(OpenApiSchema schema, IReadOnlyList<Attribute> attributes)
    {
        foreach (var attribute in attributes)
        {
            switch (attribute)
            {
                case AllowedValuesAttribute allowed:
                    schema.Enum = [.. allowed.Values.Select(v => JsonSerializer.SerializeToNode(v)!)];
                    if (schema.Type?.HasFlag(JsonSchemaType.Null) is true)
                        schema.Enum.Add(JsonNullSentinel.JsonNull);
                    break;
                case DefaultValueAttribute value:
                    schema.Default = JsonSerializer.SerializeToNode(value.Value);
                    break;
                case RangeAttribute range:
                    schema.Minimum = Convert.ToString(range.Minimum);
                    // No one means int.MaxValue as a bound.
                    schema.Maximum = range.Maximum is int.MaxValue ? null : Convert.ToString(range.Maximum);
                    break;
                case StringLengthAttribute length:
                    schema.MaxLength = length.MaximumLength;
                    schema.MinLength = length.MinimumLength > 0 ? length.MinimumLength : null;
                    break;
            }
        }
    }
}
