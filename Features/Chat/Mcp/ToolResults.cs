using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Mvc;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>What a tool answers. A failure is a result too, so that the model which called the tool reads why.</summary>
internal static class ToolResults
{
    /// <summary>The schemas require members that are null, too.</summary>
    public static readonly JsonSerializerOptions Json = new(McpJsonUtilities.DefaultOptions)
    {
        PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower,
        DefaultIgnoreCondition = JsonIgnoreCondition.Never,
    };

    public static CallToolResult Of<T>(string text, T structure) => new()
    {
        Content = [new TextContentBlock { Text = text }],
        StructuredContent = JsonSerializer.SerializeToElement(structure, Json),
    };

    /// <summary>The code is in <c>_meta</c>: a result may hold only what its schema describes.</summary>
    public static CallToolResult Of(ProblemDetails problem)
    {
        var data = new JsonObject { ["code"] = (string?)problem.Extensions["code"] };
        if (problem is RetryableProblem { RetryAfter: { } wait })
            data["retry_after_seconds"] = Problem.RetryAfterSeconds(wait);
        return new() { IsError = true, Content = [new TextContentBlock { Text = $"{problem.Detail} ({data["code"]})" }], Meta = new() { ["chatbackend/problem"] = data } };
    }
}
