using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using System.Text.Json;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.OpenApi;

namespace ChatBackend.Infrastructure.Http;

/// <summary>The OpenAPI 3.1 description at <c>/openapi/v1.json</c>, made from the routes, their types and their comments.</summary>
internal static class OpenApi
{
    private static readonly Dictionary<string, string> Headers = new()
    {
        ["ETag"] = "The version of the record; send it back in If-Match to guard a change.",
        ["Location"] = "Where the new resource is.",
        ["Retry-After"] = "Seconds to wait.",
    };

    public static void AddOpenApiDocument(this WebApplicationBuilder builder) => builder.Services.AddOpenApi("v1", options =>
    {
        options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        // Free-form JSON has no name of its own.
        options.CreateSchemaReferenceId = type => (Nullable.GetUnderlyingType(type.Type) ?? type.Type) == typeof(JsonElement) ? null : OpenApiOptions.CreateDefaultSchemaReferenceId(type);
        options.AddSchemaTransformer(DescribeAsync);
        options.AddOperationTransformer(DescribeAsync);
        options.AddDocumentTransformer(DescribeAsync);
    });

    public static void MapOpenApiDocument(this WebApplication app)
    {
        // Only the one there is: for others the framework answers with a 404 in plain text.
        app.MapOpenApi("/openapi/{documentName:regex(^v1$)}.json");
        app.MapApiReference();
    }

    /// <summary>Title, version, servers; and the problem that every error is.</summary>
    private static Task DescribeAsync(OpenApiDocument document, OpenApiDocumentTransformerContext context, CancellationToken cancellationToken)
    {
        document.Info = new()
        {
            Title = "ChatBackend",
            Version = "1.0.0",
            Description =
                """
                Answers readers' questions on a textbook, with citations; translates its pages; keeps profiles and audit records.

                JSON is snake_case. Times are ISO 8601 in UTC. Every error is `application/problem+json` (RFC 9457) with a
                stable `code`, a `trace_id` that finds the request in the logs, and, for invalid input, `errors` by field.
                """,
        };
        // Relative: the description holds wherever the service is reached.
        document.Servers = [new() { Url = "/" }];
        document.Components ??= new();
        document.Components.Schemas ??= new Dictionary<string, IOpenApiSchema>();
        document.Components.Schemas.Remove("HttpValidationProblemDetails");
        document.Components.Schemas[nameof(ProblemDetails)] = OpenApiProblems.Schema();
        document.Components.SecuritySchemes = OpenApiSecurity.Schemes();
        OpenApiExamples.Add(document);
        return Task.CompletedTask;
    }

    /// <summary>Numbers that arrive as text, ids, tokens, and the errors that any route may end in.</summary>
    private static async Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        foreach (var parameter in operation.Parameters?.OfType<OpenApiParameter>() ?? [])
        {
            var schema = (OpenApiSchema)(parameter.Schema ??= new OpenApiSchema());
            var attributes = AttributesOf(context.Description, parameter.Name);
            Apply(schema, attributes);
            if (attributes.OfType<RangeAttribute>().Any())
                (schema.Type, schema.Default) = (JsonSchemaType.Integer, schema.Default is { } value ? int.Parse(value.ToString()) : null);
            if (parameter is { In: ParameterLocation.Path, Name: "id" })
                (schema.Type, schema.Format, schema.Examples) = (JsonSchemaType.String, "uuid", ["019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21"]);
            if (parameter.In is ParameterLocation.Header && parameter.Name is "If-Match")
                schema.Examples = ["\"3\""];
        }

        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        operation.Responses ??= [];
        OpenApiSecurity.Add(operation, metadata.OfType<IAuthorizeData>().LastOrDefault()?.Policy, context.Document);
        if (operation.Parameters?.Any(p => p.In is ParameterLocation.Path) is true)
            OpenApiProblems.Add(operation, 404, "There is nothing with this id, or it belongs to somebody else.");
        if (operation.RequestBody is not null)
            OpenApiProblems.Add(operation, 400, "The body is not valid; `errors` names its fields.");
        // The health probe touches nothing that could fail.
        if (context.Description.RelativePath is not "health")
            OpenApiProblems.Add(operation, 500, "Something failed on our side; nothing was changed. `code` tells what.");
        if (context.Description.RelativePath?.StartsWith("health", StringComparison.Ordinal) is false)
            OpenApiProblems.Add(operation, 503, "The database, or the model, is away for now; Retry-After says when to come back.");
        foreach (var (status, response) in operation.Responses)
        {
            AddHeaders((OpenApiResponse)response);
            OpenApiProblems.Complete(int.TryParse(status, out var number) ? number : 500, (OpenApiResponse)response, context);
        }

        var sorted = operation.Responses.OrderBy(r => r.Key, StringComparer.Ordinal).ToArray();
        operation.Responses = [];
        foreach (var (status, response) in sorted)
            operation.Responses[status] = response;
        if (metadata.OfType<MergePatch.Body>().FirstOrDefault() is { } patch)
            await DescribePatchAsync(operation, context, patch.Type, cancellationToken);
    }

    /// <summary>A merge patch has the members of what it patches, and none that it must have.</summary>
    private static async Task DescribePatchAsync(
        OpenApiOperation operation, OpenApiOperationTransformerContext context, Type type, CancellationToken cancellationToken)
    {
        var schema = await context.GetOrCreateSchemaAsync(type, cancellationToken: cancellationToken);
        schema.Required = null;
        schema.Description = "A JSON merge patch (RFC 7396).";
        foreach (var content in operation.RequestBody!.Content!.Values.OfType<OpenApiMediaType>())
            content.Schema = schema;
    }

    /// <summary>The headers that a response's comment names are listed as its headers.</summary>
    private static void AddHeaders(OpenApiResponse response)
    {
        foreach (var (name, description) in Headers.Where(h => response.Description?.Contains(h.Key, StringComparison.Ordinal) is true))
        {
            response.Headers ??= new Dictionary<string, IOpenApiHeader>();
            response.Headers[name] = new OpenApiHeader { Description = description, Schema = new OpenApiSchema { Type = JsonSchemaType.String } };
        }
    }

    /// <summary>Bounds and values that the validators check, from the attributes that repeat them for readers; free-form JSON.</summary>
    private static Task DescribeAsync(OpenApiSchema schema, OpenApiSchemaTransformerContext context, CancellationToken cancellationToken)
    {
        var type = Nullable.GetUnderlyingType(context.JsonTypeInfo.Type) ?? context.JsonTypeInfo.Type;
        // The framework does not look into our converter.
        if (type == typeof(DateTimeOffset))
            (schema.Type, schema.Format) = (JsonSchemaType.String, "date-time");
        // JSON that a client may fill as it likes is an object everywhere here.
        if (type == typeof(JsonElement))
            (schema.Type, schema.AdditionalPropertiesAllowed) = (JsonSchemaType.Object, true);
        if (context.JsonPropertyInfo is { } property)
        {
            Attribute[] attributes = [.. property.AttributeProvider?.GetCustomAttributes(inherit: true).OfType<Attribute>() ?? []];
            Apply(schema, attributes);
            // Nullable in C#, so that a validator can say that it is missing.
            if (attributes.OfType<RequiredAttribute>().Any())
                schema.Type &= ~JsonSchemaType.Null;
            else if (Nullable.GetUnderlyingType(property.PropertyType) is not null)
                schema.Type |= JsonSchemaType.Null;
        }

        return Task.CompletedTask;
    }

    private static void Apply(OpenApiSchema schema, IReadOnlyList<Attribute> attributes)
    {
        foreach (var attribute in attributes)
        {
            switch (attribute)
            {
                case AllowedValuesAttribute allowed:
                    schema.Enum = [.. allowed.Values.Select(v => JsonSerializer.SerializeToNode(v)!)];
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

    private static Attribute[] AttributesOf(ApiDescription description, string? name) =>
        description.ParameterDescriptions.FirstOrDefault(p => p.Name == name)?.ParameterDescriptor is
            Microsoft.AspNetCore.Mvc.Infrastructure.IParameterInfoParameterDescriptor { ParameterInfo: var parameter }
            ? [.. parameter.GetCustomAttributes(inherit: true).OfType<Attribute>()]
            : [];
}
