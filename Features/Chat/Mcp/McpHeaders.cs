using System.Text.Json;
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
    public static string? Mismatch(HttpRequest http, McpMessage message)
    {
        if (!StandsAlone(http))
            return null;
        var name = message.Method switch { RequestMethods.ToolsCall => "name", RequestMethods.ResourcesRead => "uri", _ => null };
        return Differs("Mcp-Method", message.Method)
            ?? (name is null ? null : Differs("Mcp-Name", Text(message.Params, name)))
            ?? Differs(Version, Text(McpMessage.Member(message.Params, "_meta"), MetaKeys.ProtocolVersion));

        string? Differs(string header, string? expected) => McpHeaderEncoder.DecodeValue(http.Headers[header].FirstOrDefault()) == expected ? null : header;

        static string? Text(JsonElement json, string name) => McpMessage.Member(json, name) is { ValueKind: JsonValueKind.String } text ? text.GetString() : null;
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
}
