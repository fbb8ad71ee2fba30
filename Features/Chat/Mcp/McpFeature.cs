using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using FluentValidation;

namespace ChatBackend.Features.Chat.Mcp;

internal static class McpFeature
{
    public static void AddMcp(this WebApplicationBuilder builder)
    {
        builder.Services.AddSingleton<IValidator<McpMessage>, McpMessageValidator>();
        builder.Services.AddSingleton<BookPages>();
        builder.Services.AddSingleton<BookServer>();
    }

    public static void MapMcp(this IEndpointRouteBuilder routes) =>
        routes.MapFeature("/mcp", "MCP").AcceptToken().WithProblemShape(PostMcp.Shape).MapPostMcp();
}
