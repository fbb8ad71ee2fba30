using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.Infrastructure;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace ChatBackend.Infrastructure.Http.OpenApi;

[AttributeUsage(AttributeTargets.Property | AttributeTargets.Parameter)]
internal sealed class ExampleAttribute(string text) : Attribute
{
    public string Text { get; } = text;
}

/// <summary>The types of a value in JSON, for one that has a converter of its own.</summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class JsonTypesAttribute(JsonSchemaType types) : Attribute
{
    public JsonSchemaType Types { get; } = types;
}

internal static class OpenApiSchemas
{
    /// <summary>The name of a type's schema; free-form JSON has none of its own.</summary>
    public static string? NameOf(JsonTypeInfo type) => (Nullable.GetUnderlyingType(type.Type) ?? type.Type) switch
    {
        var t when t == typeof(ProblemBody) => nameof(ProblemDetails),
        var t when t == typeof(JsonElement) => null,
        _ => OpenApiOptions.CreateDefaultSchemaReferenceId(type),
    };

    public static Task DescribeAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        var type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
        // Free-form JSON is always an object here.
        if (type == typeof(JsonElement))
            schema.Type = JsonSchemaType.Object;
        if (type == typeof(DateTimeOffset) || type == typeof(DateTime) || type.IsEnum)
            schema.Type = JsonSchemaType.String;
        // A converter of its own leaves a member without a type.
        if (type == typeof(string))
            schema.Type ??= JsonSchemaType.String;
        if (type != context.JsonTypeInfo.Type)
            schema.Type |= JsonSchemaType.Null;
        // A member without a setter is computed, so every response has it.
        foreach (var made in context.JsonTypeInfo.Properties.Where(p => p.Set is null && schema.Properties?.ContainsKey(p.Name) is true))
            (schema.Required ??= new HashSet<string>()).Add(made.Name);

        var parameter = (context.ParameterDescription?.ParameterDescriptor as IParameterInfoParameterDescriptor)?.ParameterInfo;
        var attributes = (context.JsonPropertyInfo?.AttributeProvider ?? parameter)?.GetCustomAttributes(inherit: true) ?? [];
        if (attributes.OfType<JsonTypesAttribute>().SingleOrDefault() is { } json)
            schema.Type = json.Types;
        // Nullable in C# so that a validator can report that it is missing.
        if (attributes.OfType<RequiredAttribute>().Any())
            schema.Type &= ~JsonSchemaType.Null;
        if (attributes.OfType<AllowedValuesAttribute>().SingleOrDefault() is { } allowed)
        {
            schema.Enum = [.. allowed.Values.Select(v => JsonSerializer.SerializeToNode(v)!)];
            if (schema.Type?.HasFlag(JsonSchemaType.Null) is true)
                schema.Enum.Add(JsonNullSentinel.JsonNull);
        }

        // Text in C# so that a validator can report that it is not a number.
        if (type == typeof(string) && attributes.OfType<RangeAttribute>().Any())
            (schema.Type, schema.Default) = (JsonSchemaType.Integer, schema.Default is { } text ? JsonNode.Parse(text.GetValue<string>()) : null);
        if (context.ParameterDescription is { Name: "id" })
            (schema.Format, schema.Examples) = ("uuid", [OpenApiExamples.Id]);
        if (attributes.OfType<ExampleAttribute>().SingleOrDefault() is { } example)
            schema.Examples = [example.Text];
        return Task.CompletedTask;
    }
}
