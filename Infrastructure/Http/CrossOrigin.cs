using Microsoft.AspNetCore.Cors.Infrastructure;

namespace ChatBackend.Infrastructure.Http;

/// <summary>Which origins may call from a browser (CORS).</summary>
internal static class CrossOrigin
{
    /// <summary>Docusaurus' development server: always allowed.</summary>
    public const string Docusaurus = "http://localhost:3000";

    /// <summary>Allows the origins of <c>FRONTEND_URL</c>; all in development where it is not set, and for <c>*</c>.</summary>
    public static void AddCrossOrigin(this WebApplicationBuilder builder)
    {
        var origins = (builder.Configuration["FRONTEND_URL"] ?? (builder.Environment.IsDevelopment() ? "*" : ""))
            .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)
            .Select(o => o.TrimEnd('/'))
            .ToArray();

        builder.Services.AddCors(cors => cors.AddDefaultPolicy(policy =>
        {
            Allow(policy, origins)
                .WithMethods("GET", "POST", "PUT", "PATCH", "DELETE")
                // Clients of other protocols send headers of their own, such as x-stainless-os and mcp-protocol-version.
                .AllowAnyHeader()
                .WithExposedHeaders(
                    "Content-Disposition", "ETag", "Location", "Retry-After", "RateLimit", "RateLimit-Policy",
                    "mcp-session-id", "x-vercel-ai-ui-message-stream")
                .SetPreflightMaxAge(TimeSpan.FromHours(2));
        }));
    }

    // No cookies are used, so no credentials are allowed, and any origin may be allowed safely.
    private static CorsPolicyBuilder Allow(CorsPolicyBuilder policy, string[] origins) =>
        origins.Contains("*") ? policy.AllowAnyOrigin() : policy.WithOrigins([Docusaurus, .. origins]);
}
