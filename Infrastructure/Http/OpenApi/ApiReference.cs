using System.Reflection;
using System.Text;
using ChatBackend.Infrastructure.Database;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Infrastructure.Http.OpenApi;

/// <summary>
/// The Scalar page at <c>/docs</c>. The build embeds the script of the pinned npm package (ApiReference.targets); without npm,
/// the page loads the same file from a CDN, and the browser checks its hash.
/// </summary>
internal static class ApiReference
{
    internal const string ScriptResource = "ApiReference/scalar.js";

    private static readonly string Version = Metadata("ScalarVersion");
    private static readonly string Integrity = Metadata("ScalarIntegrity");
    private static readonly string CdnAddress = $"https://cdn.jsdelivr.net/npm/@scalar/api-reference@{Version}/dist/browser/standalone.js";

    public static bool IsBundled { get; } = Assembly.GetExecutingAssembly().GetManifestResourceInfo(ScriptResource) is not null;

    public static void MapApiReference(this IEndpointRouteBuilder routes)
    {
        // For people and browsers: not part of the API, so not in its description.
        var docs = routes.MapGroup("/docs").ExcludeFromDescription().WithMetadata(new NeedsNoDatabaseAttribute());
        docs.MapGet("", Page);
        docs.MapGet("/start.js", () => TypedResults.Text(StartScript, "text/javascript", Encoding.UTF8));
        if (IsBundled)
            docs.MapGet($"/scalar-{Version}.js", Script);
    }

    private static Results<ContentHttpResult, RedirectHttpResult> Page(HttpContext context)
    {
        // The page's addresses are relative, so that it works below any prefix. Below /docs/ they would not resolve.
        if (context.Request.Path.Value?.EndsWith('/') is true)
            return TypedResults.Redirect("../docs");

        context.Response.Headers.ContentSecurityPolicy = Policy(IsBundled);
        return TypedResults.Content(Html(IsBundled), "text/html", Encoding.UTF8);
    }

    /// <summary>The content security policy: own scripts only, connections only to this service. Scalar sets styles from script, hence unsafe-inline.</summary>
    internal static string Policy(bool isBundled) =>
        $"default-src 'none'; script-src 'self'{(isBundled ? "" : $" {CdnAddress}")}; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
        "connect-src 'self'; worker-src 'self' blob:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    internal static string Html(bool isBundled) =>
        $"""
        <!doctype html>
        <html lang="en">
        <head>
          <meta charset="utf-8">
          <meta name="viewport" content="width=device-width, initial-scale=1">
          <title>ChatBackend API</title>
          <link rel="icon" href="data:,">
        </head>
        <body>
          <noscript>This page needs JavaScript. The description itself is at <a href="openapi/v1.json">/openapi/v1.json</a>.</noscript>
          <div id="app"></div>
          <script src="{(isBundled ? $"docs/scalar-{Version}.js" : CdnAddress)}" integrity="{Integrity}" crossorigin="anonymous"></script>
          <script src="docs/start.js"></script>
        </body>
        </html>
        """;

    /// <summary>Scalar's settings: this service's description; no third-party fonts, proxy or telemetry.</summary>
    private const string StartScript =
        """
        const url = new URL('openapi/v1.json', document.baseURI).href
        if (window.Scalar) {
          Scalar.createApiReference('#app', {
            url,
            withDefaultFonts: false,
            telemetry: false,
            agent: { disabled: true },
            mcp: { disabled: true },
            hideClientButton: true,
            showDeveloperTools: 'never',
            persistAuth: false,
          })
        } else {
          document.getElementById('app').textContent = `The script of this page could not be loaded. The description itself is at ${url}`
        }
        """;

    private static Results<FileStreamHttpResult, NotFound> Script(HttpResponse response)
    {
        // The address contains the version, so the file never changes.
        response.Headers.CacheControl = "public, max-age=31536000, immutable";
        return Assembly.GetExecutingAssembly().GetManifestResourceStream(ScriptResource) is { } script
            ? TypedResults.Stream(script, "text/javascript; charset=utf-8")
            : TypedResults.NotFound();
    }

    private static string Metadata(string key) => Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>().Single(a => a.Key == key).Value!;
}
