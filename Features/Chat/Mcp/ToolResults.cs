using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization.Metadata;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Mvc;
using Microsoft.Extensions.AI;
using ModelContextProtocol.Protocol;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>What a tool answers. A failure is a result too, so that the model which called the tool reads why.</summary>
internal static class ToolResults
{
    /// <summary>Under this name in <c>_meta</c>: a result may hold only what its schema describes.</summary>
    private const string ProblemKey = "chatbackend/problem";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        RespectNullableAnnotations = true,
        TypeInfoResolver = new DefaultJsonTypeInfoResolver(),
    };

    public static JsonElement SchemaOf<T>() => AIJsonUtilities.CreateJsonSchema(typeof(T), serializerOptions: Json);

    public static CallToolResult Of<T>(string text, T structure) => new()
    {
        Content = [new TextContentBlock { Text = text }],
        StructuredContent = JsonSerializer.SerializeToElement(structure, Json),
    };

    public static CallToolResult Of(ProblemDetails problem) => Refused(
        problem.Detail!, (string)problem.Extensions["code"]!, problem is RetryableProblem { RetryAfter: { } wait } ? Problem.RetryAfterSeconds(wait) : null);

    public static CallToolResult Of(Failure failure) => Refused(failure.Detail, failure.Code, failure.RetryAfterSeconds);

    /// <param name="fault">Which argument is not valid, and why.</param>
    public static CallToolResult Invalid(string fault) => Refused(fault, "invalid_request", retryAfterSeconds: null);

    public static CallToolResult Refused(string detail, string code, int? retryAfterSeconds)
    {
        var problem = new JsonObject { ["code"] = code };
        if (retryAfterSeconds is { } seconds)
            problem["retry_after_seconds"] = seconds;
        return new() { IsError = true, Content = [new TextContentBlock { Text = $"{detail} ({code})" }], Meta = new() { [ProblemKey] = problem } };
    }
}
