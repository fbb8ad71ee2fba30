using System.Text.Json;
using System.Text.Json.Nodes;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.OpenApi;

namespace ChatBackend.Infrastructure.Http.OpenApi;

/// <summary>Gives every schema and every body an example: the <c>example</c> of the type's comment, completed by those of its members.</summary>
internal static class OpenApiExamples
{
    public const string Id = "019a7c1e-5b0e-7c3a-9f52-0d3b8a6f4e21";

    /// <summary>Marks a string without an example; a test looks for it.</summary>
    public const string Missing = "(no example)";

    private static readonly JsonSerializerOptions Json = new() { PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower };

    public static JsonNode OfProblem(AnswerProblem failure, string description, string path)
    {
        var isInvalid = failure.StatusCode is StatusCodes.Status400BadRequest;
        var detail = isInvalid ? failure.Detail ?? description : description.Replace("`", "");
        return JsonSerializer.SerializeToNode(
            new ProblemBody(
                Problem.TypeOf(failure.Code), Problem.TitleOf(failure.StatusCode), failure.StatusCode, detail,
                path.Replace("{id}", Id), failure.Code, "0af7651916cd43dd8448eb211c80319c")
            {
                Errors = isInvalid ? new() { [detail.Split(' ')[0]] = [detail] } : null!,
            },
            Json)!;
    }

    public static void Add(OpenApiDocument document)
    {
        var schemas = document.Components!.Schemas!;
        foreach (var schema in schemas.Values.OfType<OpenApiSchema>().Where(s => s.Properties is not null))
            schema.Examples = [Of(schema)!];
        foreach (var operation in document.Paths.Values.SelectMany(p => p.Operations!.Values))
        {
            IEnumerable<IDictionary<string, OpenApiMediaType>?> bodies = [operation.RequestBody?.Content, .. operation.Responses!.Values.Select(r => r.Content)];
            foreach (var content in bodies.SelectMany(b => b?.Values ?? []))
                content.Example ??= Of(content.Schema!);
        }

        JsonNode? Of(IOpenApiSchema schema) => schema switch
        {
            OpenApiSchemaReference { Reference.Id: { } name } => Of(schemas[name]),
            { Properties: { } members } => Complete(schema, members),
            { Examples: [var example, ..] } => example.DeepClone(),
            { Default: { } value } => value.DeepClone(),
            { Enum: [var first, ..] } => first.DeepClone(),
            { OneOf: [.., var last] } => Of(last),
            { Items: { } item } => new JsonArray(Of(item)),
            { Format: "uuid" } => Id,
            { Format: "date-time" } => "2026-03-01T09:30:00Z",
            _ => Missing,
        };

        // A member that may be omitted is omitted, unless it has an example.
        JsonObject Complete(IOpenApiSchema schema, IDictionary<string, IOpenApiSchema> members)
        {
            var given = schema.Examples is [JsonObject example, ..] ? example : [];
            return new(
                from member in members
                let isGiven = given.ContainsKey(member.Key)
                where isGiven || schema.Required?.Contains(member.Key) is true || member.Value.Examples is [_, ..]
                select KeyValuePair.Create(member.Key, isGiven ? given[member.Key]?.DeepClone() : Of(member.Value)));
        }
    }
}
