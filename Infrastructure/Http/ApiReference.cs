using System.Reflection;
using System.Text;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Infrastructure.Http;

/// <summary>
/// The Scalar page at <c>/docs</c>, as Scalar documents it for plain HTML; stands in for Scalar.AspNetCore. The build puts
/// the script of the pinned npm package into the assembly (ApiReference.targets); where the build had no npm, the page
/// loads the same file from a CDN, and the browser checks its hash.
/// </summary>
internal static class ApiReference
{
    private const string ScriptResource = "ApiReference/scalar.js";

    private static readonly string Version = Metadata("ScalarVersion");
    private static readonly string Integrity = Metadata("ScalarIntegrity");

    /// <summary>True when the script is in the assembly and nothing is loaded from elsewhere.</summary>
    public static bool IsBundled { get; } = Assembly.GetExecutingAssembly().GetManifestResourceInfo(ScriptResource) is not null;

    public static void MapApiReference(this IEndpointRouteBuilder routes)
    {
        // For people and browsers: not part of the API, so not in its description.
        var docs = routes.MapGroup("/docs").ExcludeFromDescription();
        docs.MapGet("", Page);
        docs.MapGet("/start.js", () => TypedResults.Text(StartScript, "text/javascript", Encoding.UTF8));
        if (IsBundled)
            docs.MapGet($"/scalar-{Version}.js", Script);
    }

    private static ContentHttpResult Page(HttpResponse response)
    {
        // Only our own scripts run, and they talk to nobody but us. Scalar styles its elements from script, hence unsafe-inline there.
        var source = IsBundled ? "'self'" : "'self' https://cdn.jsdelivr.net";
        response.Headers.ContentSecurityPolicy =
            $"default-src 'none'; script-src {source}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
            "connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
        var address = IsBundled ? $"docs/scalar-{Version}.js" : $"https://cdn.jsdelivr.net/npm/@scalar/api-reference@{Version}/dist/browser/standalone.js";
        return TypedResults.Content(
            $"""
            <!doctype html>
            <html lang="en">
            <head>
              <meta charset="utf-8">
              <meta name="viewport" content="width=device-width, initial-scale=1">
              <title>ChatBackend API</title>
            </head>
            <body>
              <noscript>This page needs JavaScript. The description itself is at <a href="openapi/v1.json">/openapi/v1.json</a>.</noscript>
              <div id="app"></div>
              <script src="{address}" integrity="{Integrity}" crossorigin="anonymous"></script>
              <script src="docs/start.js"></script>
            </body>
            </html>
            """,
            "text/html", Encoding.UTF8);
    }

    /// <summary>What Scalar is told: our description, no fonts, proxies or telemetry of others.</summary>
    private const string StartScript =
        """
        Scalar.createApiReference('#app', {
          url: new URL('openapi/v1.json', document.baseURI).href,
          withDefaultFonts: false,
          telemetry: false,
          agent: { disabled: true },
          mcp: { disabled: true },
          hideClientButton: true,
          showDeveloperTools: 'never',
          persistAuth: false,
        })
        """;

    private static Results<FileStreamHttpResult, NotFound> Script(HttpResponse response)
    {
        // The version is in the address, so the file behind it never changes.
        response.Headers.CacheControl = "public, max-age=31536000, immutable";
        return Assembly.GetExecutingAssembly().GetManifestResourceStream(ScriptResource) is { } script
            ? TypedResults.Stream(script, "text/javascript; charset=utf-8")
            : TypedResults.NotFound();
    }

    private static string Metadata(string key) => Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == key).Value!;
}
