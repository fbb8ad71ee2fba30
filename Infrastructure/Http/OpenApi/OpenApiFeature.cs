using System.Net.Mime;
using System.Text.Json.Nodes;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.OpenApi;
using Microsoft.AspNetCore.Routing.Constraints;
using Microsoft.AspNetCore.WebUtilities;
using Microsoft.OpenApi;

namespace ChatBackend.Infrastructure.Http.OpenApi;

internal static class OpenApiFeature
{
    public static void AddOpenApiDocument(this WebApplicationBuilder builder)
    {
        // The slim builder leaves it out.
        builder.Services.Configure<RouteOptions>(routes => routes.SetParameterPolicy<RegexInlineRouteConstraint>("regex"));
        builder.Services.AddOpenApi("v1", Configure);
    }

    public static void MapOpenApiDocument(this IEndpointRouteBuilder routes)
    {
        // Only v1: for other names the framework answers with a 404 in plain text.
        routes.MapOpenApi("/openapi/{documentName:regex(^v1$)}.json").WithMetadata(new NeedsNoDatabaseAttribute());
        routes.MapApiReference();
    }

    private static void Configure(OpenApiOptions options)
    {
        options.OpenApiVersion = OpenApiSpecVersion.OpenApi3_1;
        options.CreateSchemaReferenceId = OpenApiSchemas.NameOf;
        // HEAD would only repeat each GET.
        options.ShouldInclude = description => description.HttpMethod != HttpMethods.Head;
        options.AddSchemaTransformer(OpenApiSchemas.DescribeAsync);
        options.AddOperationTransformer(DescribeAsync);
        options.AddDocumentTransformer(DescribeAsync);
    }

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
        OpenApiExamples.Add(document);
        return Task.CompletedTask;
    }

    private static async Task DescribeAsync(OpenApiOperation operation, OpenApiOperationTransformerContext context, CancellationToken cancellationToken)
    {
        foreach (var parameter in operation.Parameters?.OfType<OpenApiParameter>() ?? [])
            parameter.Example ??= parameter.Schema!.Examples?.FirstOrDefault();
        operation.Summary = operation.Summary?.TrimEnd('.');
        var responses = new OpenApiResponses();
        foreach (var (status, response) in operation.Responses!.OrderBy(r => r.Key, StringComparer.Ordinal))
            responses[status] = response;
        operation.Responses = responses;
        var metadata = context.Description.ActionDescriptor.EndpointMetadata;
        var shape = metadata.OfType<ProblemShape>().LastOrDefault();
        var contents = new HashSet<string>();
        // Reversed: a route's own metadata comes last and takes precedence over that of its groups.
        foreach (var said in metadata.Reverse())
        {
            switch (said)
            {
                case Credential credential:
                    context.Document!.AddComponent(credential.Name, credential.Scheme);
                    var requirement = new OpenApiSecurityRequirement { [new(credential.Name, context.Document)] = [] };
                    // An empty requirement beside the other makes it optional (OpenAPI 3.1, 4.8.10).
                    operation.Security ??= credential.IsOptional ? [requirement, []] : [requirement];
                    break;
                case AnswerProblem failure:
                    var response = responses[$"{failure.StatusCode}"];
                    // A comment on the handler takes precedence.
                    if (failure.Detail is not null && response.Description == ReasonPhrases.GetReasonPhrase(failure.StatusCode))
                        response.Description = failure.Detail;
                    if (shape is not null)
                        Reshape(response, shape, failure);
                    else
                        response.Content![MediaTypeNames.Application.ProblemJson].Example ??=
                            OpenApiExamples.OfProblem(failure, response.Description!, $"/{context.Description.RelativePath?.TrimEnd('/')}");
                    if (failure.StatusCode is StatusCodes.Status429TooManyRequests or StatusCodes.Status503ServiceUnavailable)
                        Add(response, new("Retry-After", "Seconds to wait."));
                    break;
                case AnswerHeader header:
                    foreach (var success in responses.Where(r => r.Key.StartsWith('2')))
                        Add(success.Value, header);
                    break;
                case TakenBody body:
                    operation.RequestBody!.Content![body.MediaType] = new OpenApiMediaType
                    {
                        Schema = new OpenApiSchema { Type = JsonSchemaType.String, Description = body.Description },
                        Example = body.Example,
                    };
                    break;
                case AnswerContent answer when contents.Add(answer.MediaType):
                    var isJson = answer.MediaType == MediaTypeNames.Application.Json;
                    responses["200"].Content![answer.MediaType] = new OpenApiMediaType
                    {
                        Schema = new OpenApiSchema { Type = isJson ? JsonSchemaType.Object : JsonSchemaType.String, Description = answer.Description },
                        Example = isJson ? JsonNode.Parse(answer.Example) : answer.Example,
                    };
                    break;
            }
        }

        if (context.Description.HttpMethod == HttpMethods.Patch)
            await DescribePatchAsync(operation, context, metadata.OfType<IAcceptsMetadata>().Last().RequestType!, cancellationToken);
    }

    /// <summary>The problem in the shape of another protocol. Of several problems with one status, the route's own is the example.</summary>
    private static void Reshape(IOpenApiResponse response, ProblemShape shape, AnswerProblem failure)
    {
        var content = ((OpenApiResponse)response).Content!;
        content.Remove(MediaTypeNames.Application.ProblemJson);
        var text = shape.Write(Problem.Details(failure.StatusCode, failure.Code, (failure.Detail ?? response.Description)!));
        content.TryAdd(shape.MediaType, shape.MediaType == MediaTypeNames.Application.Json
            ? new OpenApiMediaType { Schema = new OpenApiSchema { Type = JsonSchemaType.Object }, Example = JsonNode.Parse(text) }
            : new OpenApiMediaType { Schema = new OpenApiSchema { Type = JsonSchemaType.String }, Example = text });
    }

    private static void Add(IOpenApiResponse response, AnswerHeader header) =>
        (((OpenApiResponse)response).Headers ??= new Dictionary<string, IOpenApiHeader>())[header.Name] =
            new OpenApiHeader { Description = header.Description, Schema = new OpenApiSchema { Type = JsonSchemaType.String } };

    /// <summary>A merge patch has the members of the record that it patches. None is required and none has a default, as an omitted member stays.</summary>
    private static async Task DescribePatchAsync(
        OpenApiOperation operation, OpenApiOperationTransformerContext context, Type type, CancellationToken cancellationToken)
    {
        var schema = await context.GetOrCreateSchemaAsync(type, cancellationToken: cancellationToken);
        (schema.Required, schema.Description) = (null, "A JSON merge patch (RFC 7396): what is left out stays, null removes.");
        foreach (var member in schema.Properties?.Values.OfType<OpenApiSchema>() ?? [])
            member.Default = null;

        context.Document!.AddComponent($"{type.Name}Patch", schema);
        foreach (var content in operation.RequestBody!.Content!.Values.OfType<OpenApiMediaType>())
            content.Schema = new OpenApiSchemaReference($"{type.Name}Patch", context.Document);
    }
}
