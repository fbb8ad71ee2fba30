using System.IO.Compression;
using System.Reflection;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using ChatBackend.Infrastructure.Database;
using ChatBackend.Infrastructure.Docusaurus;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace ChatBackend.Features.Widget;

/// <summary>The chat for any site, as one script.</summary>
internal static class WidgetFeature
{
    /// <summary>A browser asks again after this many seconds. A new version then reaches every reader.</summary>
    private const int MaxAge = 300;

    public static void MapWidget(this IEndpointRouteBuilder routes)
    {
        var script = Compose(routes.ServiceProvider.GetRequiredService<IOptions<SiteOptions>>().Value);
        var (plain, compressed) = (Representation.Of(script), Representation.Of(Compress(script)));

        routes.MapGet("/widget.js", (HttpContext context) => Script(context, plain, compressed))
            .ExcludeFromDescription()
            .WithMetadata(new NeedsNoDatabaseAttribute());
    }

    private static FileContentHttpResult Script(HttpContext context, Representation plain, Representation compressed)
    {
        var (accepted, headers) = (context.Request.GetTypedHeaders().AcceptEncoding, context.Response.Headers);
        var script = plain;
        headers.Vary = HeaderNames.AcceptEncoding;
        headers.CacheControl = $"public, max-age={MaxAge}";
        // A page may require this of what it loads (Cross-Origin-Embedder-Policy).
        headers["Cross-Origin-Resource-Policy"] = "cross-origin";
        if (accepted.Any(encoding => encoding.Value == "gzip" && encoding.Quality != 0))
        {
            script = compressed;
            headers.ContentEncoding = "gzip";
        }

        return TypedResults.Bytes(script.Content, "text/javascript; charset=utf-8", entityTag: script.Tag);
    }

    private static byte[] Compress(byte[] content)
    {
        using var compressed = new MemoryStream();
        using (var gzip = new GZipStream(compressed, CompressionLevel.SmallestSize))
            gzip.Write(content);
        return compressed.ToArray();
    }

    /// <summary>The script with the book's title and questions in it, so that a page needs no request to show them.</summary>
    private static byte[] Compose(SiteOptions site)
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream("widget.js")!);
        var text = reader.ReadToEnd().ReplaceLineEndings("\n");
        var book = JsonSerializer.Serialize(new
        {
            title = site.BookTitle ?? "the book",
            questions = site.ExampleQuestions,
        });
        var version = $"{Assembly.GetExecutingAssembly().GetName().Version?.ToString(3)}-{Hash(Encoding.UTF8.GetBytes(text))[..8]}";
        return Encoding.UTF8.GetBytes(text
            .Replace("{{version}}", version, StringComparison.Ordinal)
            .Replace("{{book}}", book, StringComparison.Ordinal));
    }

    private static string Hash(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content))[..16];

    /// <summary>The script in one encoding, with its ETag.</summary>
    private sealed record Representation(byte[] Content, EntityTagHeaderValue Tag)
    {
        public static Representation Of(byte[] content) => new(content, new($"\"{Hash(content)}\""));
    }
}
