using System.Net;
using System.Security.Cryptography;
using System.Text;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Resources;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;

namespace ChatBackend.Features.Home;

/// <summary>A page to try the service with: the widget, questions that the book answers, and where to read more.</summary>
internal static class HomeFeature
{
    // A browser normalizes the line endings, as this does, before it hashes the text.
    private static readonly string Html = EmbeddedText.Read("home.html");

    // The hashes allow the page's own style and script, and no other inline code. The widget styles itself without either.
    private static readonly string Policy =
        $"default-src 'none'; script-src 'self' {HashOf("script")}; style-src {HashOf("style")}; img-src data:; connect-src 'self'; " +
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    public static void MapHome(this IEndpointRouteBuilder routes)
    {
        var html = Compose(routes.ServiceProvider.GetRequiredService<IOptions<SiteOptions>>().Value);

        routes.MapGet("/", (HttpResponse response) => Page(response, html))
            .ExcludeFromDescription()
            .WithMetadata(new NeedsNoDatabaseAttribute());
    }

    private static ContentHttpResult Page(HttpResponse response, string html)
    {
        response.Headers.ContentSecurityPolicy = Policy;
        return TypedResults.Content(html, "text/html", Encoding.UTF8);
    }

    private static string Compose(SiteOptions site) => Html
        .Replace("{{title}}", WebUtility.HtmlEncode(site.BookTitle ?? "ChatBackend"), StringComparison.Ordinal)
        .Replace("{{questions}}", string.Concat(site.ExampleQuestions.Take(3).Select(q => $"<button>{WebUtility.HtmlEncode(q)}</button>")), StringComparison.Ordinal);

    private static string HashOf(string element)
    {
        var start = Html.IndexOf($"<{element}>", StringComparison.Ordinal) + element.Length + 2;
        var end = Html.IndexOf($"</{element}>", start, StringComparison.Ordinal);
        return $"'sha256-{Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Html[start..end])))}'";
    }
}
