using System.Text;
using System.Text.Json;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Cors.Infrastructure;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>The headers of Streamable HTTP, which the package's own ASP.NET Core library would check.</summary>
internal static class McpHeaders
{
    public const string Session = "Mcp-Session-Id";

    public const string UnsupportedVersion = "unsupported_protocol_version";
    public const string Mismatch = "header_mismatch";
    public const string ForeignOrigin = "origin_not_allowed";
    public const string UnknownMethod = "method_not_found";

    private const string Version = "Mcp-Protocol-Version";
    private const string VersionKey = "io.modelcontextprotocol/protocolVersion";

    /// <summary>From this version on there is no initialize: each request says what it is, in its headers too.</summary>
    private const string FirstWithoutHandshake = "2026-07-28";

    private static readonly string[] Versions = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", FirstWithoutHandshake];

    public static string? VersionOf(HttpRequest request) => request.Headers[Version].FirstOrDefault();

    /// <summary>Whether errors have the statuses and codes that came with the first version without a handshake.</summary>
    public static bool HasStatuses(HttpRequest request) => VersionOf(request) == FirstWithoutHandshake;

    /// <summary>Null if the headers are in order.</summary>
    public static async Task<ProblemHttpResult?> FaultAsync(HttpContext context, McpMessage message)
    {
        if (!await IsAllowedAsync(context))
            return Problem.Of(StatusCodes.Status403Forbidden, ForeignOrigin, "This origin may not call the server: FRONTEND_URL names those that may.");
        var version = VersionOf(context.Request);
        if (version is not null && !Versions.Contains(version))
        {
            var unknown = Problem.Of(StatusCodes.Status400BadRequest, UnsupportedVersion, $"This server speaks the versions {string.Join(", ", Versions)}.");
            (unknown.ProblemDetails.Extensions["supported"], unknown.ProblemDetails.Extensions["requested"]) = (Versions, version);
            return unknown;
        }

        // A notification has no answer that could tell its client.
        if (version != FirstWithoutHandshake || message.Id.ValueKind is JsonValueKind.Undefined)
            return null;
        var name = message.Method switch { "tools/call" or "prompts/get" => "name", "resources/read" => "uri", _ => null };
        return Differs(context.Request, "Mcp-Method", message.Method)
            ?? (name is null ? null : Differs(context.Request, "Mcp-Name", Text(message.Params, name)))
            ?? Differs(context.Request, Version, Text(Member(message.Params, "_meta"), VersionKey));
    }

    /// <summary>A browser tells the page's origin; other clients send none. A page elsewhere must not reach a server in its reader's network (DNS rebinding):
    /// it would also send its own name as the host, so only the allowed origins count.</summary>
    private static async Task<bool> IsAllowedAsync(HttpContext context)
    {
        if (context.Request.Headers.Origin.FirstOrDefault() is not { } origin)
            return true;
        var policy = await context.RequestServices.GetRequiredService<ICorsPolicyProvider>().GetPolicyAsync(context, policyName: null);
        return policy!.AllowAnyOrigin || policy.IsOriginAllowed(origin);
    }

    private static ProblemHttpResult? Differs(HttpRequest request, string header, string? expected) => Decode(request.Headers[header].FirstOrDefault()) == expected
        ? null
        : Problem.Of(StatusCodes.Status400BadRequest, Mismatch, $"{header} must be the same as in the message.");

    /// <summary>Text that a header cannot hold is sent as Base64.</summary>
    private static string? Decode(string? value)
    {
        if (value is null || !value.StartsWith("=?base64?", StringComparison.Ordinal) || !value.EndsWith("?=", StringComparison.Ordinal))
            return value;
        var bytes = new byte[value.Length];
        return Convert.TryFromBase64String(value["=?base64?".Length..^2], bytes, out var length) ? Encoding.UTF8.GetString(bytes.AsSpan(0, length)) : null;
    }

    public static JsonElement Member(JsonElement json, string name) => json.ValueKind is JsonValueKind.Object && json.TryGetProperty(name, out var value) ? value : default;

    private static string? Text(JsonElement json, string name) => Member(json, name) is { ValueKind: JsonValueKind.String } value ? value.GetString() : null;
}
