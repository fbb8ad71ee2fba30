using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Cors.Infrastructure;
using ModelContextProtocol.Protocol;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>The headers of Streamable HTTP, which the package's own ASP.NET Core library would check.</summary>
internal static class McpHeaders
{
    public const string Session = "Mcp-Session-Id";

    private const string Version = "Mcp-Protocol-Version";

    public static string? VersionOf(HttpRequest http) => http.Headers[Version].FirstOrDefault();

    /// <summary>From this version on there is no initialize: each request says what it is, in its headers too, and errors have statuses.</summary>
    public static bool StandsAlone(HttpRequest http) => VersionOf(http) == "2026-07-28";

    /// <summary>The header that does not say the same as the message, or null.</summary>
    public static string? Mismatch(HttpRequest http, JsonRpcRequest request)
    {
        if (!StandsAlone(http))
            return null;
        var name = request.Method switch { RequestMethods.ToolsCall => "name", RequestMethods.ResourcesRead => "uri", _ => null };
        return Differs("Mcp-Method", request.Method)
            ?? (name is null ? null : Differs("Mcp-Name", Text(request.Params, name)))
            ?? Differs(Version, Text(request.Params?["_meta"], MetaKeys.ProtocolVersion));

        string? Differs(string header, string? expected) => McpHeaderEncoder.DecodeValue(http.Headers[header].FirstOrDefault()) == expected ? null : header;
    }

    /// <summary>A browser tells the page's origin; other clients send none. A page elsewhere must not reach a server in its reader's network (DNS rebinding):
    /// it would also send its own name as the host, so only the allowed origins count.</summary>
    public static async Task<bool> IsOriginAllowedAsync(HttpContext context)
    {
        if (context.Request.Headers.Origin.FirstOrDefault() is not { } origin)
            return true;
        var policy = await context.RequestServices.GetRequiredService<ICorsPolicyProvider>().GetPolicyAsync(context, policyName: null);
        return policy!.AllowAnyOrigin || policy.IsOriginAllowed(origin);
    }

    private static string? Text(JsonNode? json, string name) => (json as JsonObject)?[name] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;
}
