using System.ComponentModel.DataAnnotations;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ApiExplorer;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.RateLimiting;
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
        options.CreateSchemaReferenceId = OpenApiSchemas.NameOf;
        // Of what GET answers, HEAD answers the headers: to list it beside each would tell nothing.
        options.ShouldInclude = description => description.HttpMethod != HttpMethods.Head;
        options.AddSchemaTransformer(OpenApiSchemas.DescribeAsync);
        options.AddOperationTransformer(DescribeAsync);
        options.AddDocumentTransformer(DescribeAsync);
    });

    public static void MapOpenApiDocument(this IEndpointRouteBuilder routes)
    {
        // Only the one there is: for others the framework answers with a 404 in plain text.
        routes.MapOpenApi("/openapi/{documentName:regex(^v1$)}.json").WithMetadata(new NeedsNoDatabaseAttribute());
        routes.MapApiReference();
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
        OpenApiSchemas.Complete(document);
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
            OpenApiSchemas.Apply(schema, attributes);
            parameter.Required |= attributes.OfType<RequiredAttribute>().Any();
            if (attributes.OfType<ExampleAttribute>().FirstOrDefault() is { } example)
                parameter.Example = JsonNode.Parse(example.Json);
            if (attributes.OfType<RangeAttribute>().Any())
                (schema.Type, schema.Default) = (JsonSchemaType.Integer, schema.Default is { } value ? int.Parse(value.ToString()) : null);
            if (parameter is { In: ParameterLocation.Path, Name: "id" })
                (schema.Type, schema.Format, schema.Examples) = (JsonSchemaType.String, "uuid", ["019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21"]);
            if (parameter.In is ParameterLocation.Header && parameter.Name is "If-Match")
                schema.Examples = ["\"3\""];
        }

        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        var path = context.Description.RelativePath?.TrimEnd('/');
        operation.Summary = operation.Summary?.TrimEnd('.');
        operation.Responses ??= [];
        OpenApiSecurity.Add(operation, metadata.OfType<IAuthorizeData>().LastOrDefault()?.Policy, context.Document);
        if (operation.Parameters?.Any(p => p.In is ParameterLocation.Path) is true)
            OpenApiProblems.Add(operation, 404, "There is nothing with this id, or it belongs to somebody else.");
        if (operation.RequestBody is not null)
        {
            OpenApiProblems.Add(operation, 400, "The body is not valid; `errors` names its fields.");
            OpenApiProblems.Add(operation, 413, "The body is larger than this route takes.");
            OpenApiProblems.Add(operation, 415, "The body is not of a content type that this route takes.");
        }
        else if (operation.Responses.ContainsKey("400"))
            OpenApiProblems.Add(operation, 400, "A parameter is not valid; `errors` names it.");

        if (metadata.OfType<EnableRateLimitingAttribute>().Any())
            OpenApiProblems.Add(operation, 429, "Too many requests from this client; Retry-After says when to come back.");
        // The probes touch nothing that could fail, or report the failure themselves.
        if (path?.StartsWith("health", StringComparison.Ordinal) is false)
        {
            OpenApiProblems.Add(operation, 500, "Something failed on our side. `code` tells what.");
            OpenApiProblems.Add(operation, 503, "The database, or the model, is away for now; Retry-After says when to come back.");
        }

        foreach (var (status, response) in operation.Responses)
        {
            OpenApiProblems.Complete(int.TryParse(status, out var number) ? number : 500, (OpenApiResponse)response, context);
            AddHeaders(status, (OpenApiResponse)response);
        }

        if (metadata.OfType<ServerSentEvents.Body>().Any())
            AddStream((OpenApiResponse)operation.Responses["200"]);
        var sorted = operation.Responses.OrderBy(r => r.Key, StringComparer.Ordinal).ToArray();
        operation.Responses = [];
        foreach (var (status, response) in sorted)
            operation.Responses[status] = response;
        if (metadata.OfType<MergePatch.Body>().FirstOrDefault() is { } patch)
            await DescribePatchAsync(operation, context, patch.Type, cancellationToken);
    }

    /// <summary>A stream of events, alone or beside JSON.</summary>
    private static void AddStream(OpenApiResponse response)
    {
        response.Content ??= new Dictionary<string, OpenApiMediaType>();
        response.Content[ServerSentEvents.MediaType] = new()
        {
            Schema = new OpenApiSchema { Type = JsonSchemaType.String, Description = "Events (WHATWG HTML, 9.2), the data of each one line of JSON." },
            Example = "id: 1.1.4\nevent: delta\ndata: {\"text\":\"Nodes talk over topics\"}\n\n",
        };
    }

    /// <summary>A merge patch has the members of what it patches: none that it must have, and no defaults, as what is left out stays.</summary>
    private static async Task DescribePatchAsync(
        OpenApiOperation operation, OpenApiOperationTransformerContext context, Type type, CancellationToken cancellationToken)
    {
        var schema = await context.GetOrCreateSchemaAsync(type, cancellationToken: cancellationToken);
        schema.Required = null;
        schema.Description = "A JSON merge patch (RFC 7396): what is left out stays, null removes.";
        foreach (var member in schema.Properties?.Values.OfType<OpenApiSchema>() ?? [])
            member.Default = null;

        var name = $"{type.Name}Patch";
        context.Document!.AddComponent(name, schema);
        foreach (var content in operation.RequestBody!.Content!.Values.OfType<OpenApiMediaType>())
            content.Schema = new OpenApiSchemaReference(name, context.Document);
    }

    /// <summary>The headers that a response's comment names are listed as its headers, and Retry-After with every problem that passes.</summary>
    private static void AddHeaders(string status, OpenApiResponse response)
    {
        var passes = status is "429" or "503" && response.Content?.ContainsKey("application/problem+json") is true;
        foreach (var (name, description) in Headers.Where(h =>
            response.Description?.Contains(h.Key, StringComparison.Ordinal) is true || (passes && h.Key is "Retry-After")))
        {
            response.Headers ??= new Dictionary<string, IOpenApiHeader>();
            response.Headers[name] = new OpenApiHeader { Description = description, Schema = new OpenApiSchema { Type = JsonSchemaType.String } };
        }
    }

    private static Attribute[] AttributesOf(ApiDescription description, string? name) =>
        description.ParameterDescriptions.FirstOrDefault(p => p.Name == name)?.ParameterDescriptor is
            Microsoft.AspNetCore.Mvc.Infrastructure.IParameterInfoParameterDescriptor { ParameterInfo: var parameter }
            ? [.. parameter.GetCustomAttributes(inherit: true).OfType<Attribute>()]
            : [];
}
