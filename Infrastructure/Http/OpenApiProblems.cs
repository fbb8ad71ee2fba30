using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ModelBinding;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.OpenApi;

namespace ChatBackend.Infrastructure.Http;

/// <summary>How the description tells of errors: each is a problem, with an example of its status.</summary>
internal static class OpenApiProblems
{
    /// <summary>The code that a route's problem of a status has, where it is not the status's own.</summary>
    private sealed record Code(int Status, string Text);

    /// <summary>The route may end in this status with a problem of this code.</summary>
    public static TBuilder FailsWith<TBuilder>(this TBuilder routes, int status, string code) where TBuilder : IEndpointConventionBuilder =>
        routes.ProducesProblem(status).WithMetadata(new Code(status, code));

    /// <summary>Adds an error that a route may end in.</summary>
    public static void Add(OpenApiOperation operation, int status, string description)
    {
        // A comment in the handler says it better where there is one.
        if (!operation.Responses!.TryGetValue($"{status}", out var response))
            operation.Responses[$"{status}"] = response = new OpenApiResponse { Description = description };
        if (string.IsNullOrEmpty(response.Description) || response.Description == ReasonPhrases.GetReasonPhrase(status))
            response.Description = description;
    }

    /// <summary>An error without a body of its own has a problem as its body, with an example of its status.</summary>
    public static void Complete(int status, OpenApiResponse response, OpenApiOperationTransformerContext context)
    {
        if (status < 400 || response.Content?.Any(c => c.Key is not ("application/problem+json" or "application/json")) is true)
            return;
        if (response.Content?.Values.FirstOrDefault()?.Schema is OpenApiSchemaReference { Reference.Id: not (nameof(ProblemDetails) or "HttpValidationProblemDetails") })
            return;

        var code = context.Description.ActionDescriptor.EndpointMetadata.OfType<Code>().LastOrDefault(c => c.Status == status)?.Text
            ?? (status is 503 ? "database_unavailable" : Problems.CodeOf(status));
        var field = FieldOf(context);
        var fault = field is "id" ? "id must be a UUID such as 019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21." : $"{field} must not be empty.";
        var detail = status is 400 ? fault : response.Description!.Replace("`", "");
        var example = JsonSerializer.SerializeToNode(Problems.Details(status, code, detail), JsonSerializerOptions.Web)!.AsObject();
        example["instance"] = $"/{context.Description.RelativePath?.TrimEnd('/').Replace("{id}", "019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21")}";
        example["trace_id"] = "0af7651916cd43dd8448eb211c80319c";
        if (status is 400)
            example["errors"] = new JsonObject { [field] = new JsonArray(fault) };
        response.Content = new Dictionary<string, OpenApiMediaType>
        {
            ["application/problem+json"] = new()
            {
                Schema = new OpenApiSchemaReference(nameof(ProblemDetails), context.Document),
                Example = example,
            },
        };
    }

    /// <summary>A field that the route has: of the body, else a parameter.</summary>
    private static string FieldOf(OpenApiOperationTransformerContext context)
    {
        var parameters = context.Description.ParameterDescriptions;
        var body = context.Description.ActionDescriptor.EndpointMetadata.OfType<MergePatch.Body>().FirstOrDefault()?.Type
            ?? parameters.FirstOrDefault(p => p.Source == BindingSource.Body)?.Type;
        return body?.GetProperties().FirstOrDefault()?.Name is { } field
            ? JsonNamingPolicy.SnakeCaseLower.ConvertName(field)
            : parameters.FirstOrDefault()?.Name ?? "body";
    }

    /// <summary>Problem details as <see cref="ErrorHandling"/> completes them.</summary>
    public static OpenApiSchema Schema() => new()
    {
        Type = JsonSchemaType.Object,
        Description = "Problem details (RFC 9457). Every error of this service is one.",
        Required = new HashSet<string>(StringComparer.Ordinal) { "type", "title", "status", "detail", "instance", "code", "trace_id" },
        Properties = new Dictionary<string, IOpenApiSchema>
        {
            ["type"] = Text("A URN made of the code.", "urn:chatbackend:problem:invalid_request"),
            ["title"] = Text("The status in words.", "Bad Request"),
            ["status"] = new OpenApiSchema { Type = JsonSchemaType.Integer, Description = "The HTTP status.", Examples = [400] },
            ["detail"] = Text("What happened and what to do, for a person.", "title must be 200 characters or fewer."),
            ["instance"] = Text("The path that was asked for.", "/audits"),
            ["code"] = Text("What happened, for a program; never renamed.", "invalid_request"),
            ["trace_id"] = Text("Finds the request in the logs (W3C Trace Context).", "0af7651916cd43dd8448eb211c80319c"),
            ["errors"] = new OpenApiSchema
            {
                Type = JsonSchemaType.Object,
                Description = "Of invalid input: the messages of each field.",
                AdditionalProperties = new OpenApiSchema { Type = JsonSchemaType.Array, Items = new OpenApiSchema { Type = JsonSchemaType.String } },
                Examples = [new JsonObject { ["title"] = new JsonArray("title must be 200 characters or fewer.") }],
            },
        },
    };

    private static OpenApiSchema Text(string description, string example) =>
        new() { Type = JsonSchemaType.String, Description = description, Examples = [example] };
}
