using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using ChatBackend.Infrastructure.Database;
using Microsoft.AspNetCore.Http.HttpResults;

namespace ChatBackend.Features.Home;

internal static class HomeFeature
{
    private static readonly string Html = Read("home.html");

    // The hashes allow the page's own style and script, and no other inline code.
    private static readonly string Policy =
        $"default-src 'none'; script-src {HashOf("script")}; style-src {HashOf("style")}; img-src data:; connect-src 'self'; " +
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

    public static void MapHome(this IEndpointRouteBuilder routes) => routes
        .MapGet("/", Page)
        .ExcludeFromDescription()
        .WithMetadata(new NeedsNoDatabaseAttribute());

    private static ContentHttpResult Page(HttpResponse response)
    {
        response.Headers.ContentSecurityPolicy = Policy;
        return TypedResults.Content(Html, "text/html", Encoding.UTF8);
    }

    private static string HashOf(string element)
    {
        var start = Html.IndexOf($"<{element}>", StringComparison.Ordinal) + element.Length + 2;
        var end = Html.IndexOf($"</{element}>", StringComparison.Ordinal);
        return $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Html[start..end])))}'";
    }

    private static string Read(string name)
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream(name)!);
        // A browser normalizes the line endings before it hashes the text.
        return reader.ReadToEnd().ReplaceLineEndings("\n");
    }
}
