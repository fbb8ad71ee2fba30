using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Http;

namespace ChatBackend.Features.Ingest.Jobs;

/// <param name="Path">Its path in the book, relative and with forward slashes.</param>
/// <param name="Title">Replaces its own title.</param>
/// <param name="Url">Replaces the address that Docusaurus would give it.</param>
/// <param name="Problem">Why it cannot be ingested; the content is empty then.</param>
/// <param name="OnSite">What the built site has of it (<see cref="DocumentOnSite"/>), as JSON.</param>
internal sealed record UploadedDocument(string Path, string Content, string? Title = null, string? Url = null, string? Problem = null, string? OnSite = null)
{
    public const int MaxPathLength = 1_000;

    /// <summary>Content that the database cannot store becomes a problem of the document.</summary>
    public UploadedDocument Storable() => ValidationFilter.IsStorable(Content)
        ? this
        : this with { Content = "", Problem = "The document contains U+0000 or half a surrogate pair; it may not be a text file." };

    /// <summary>A path without <c>./</c> and backslashes.</summary>
    /// <exception cref="UploadException">The path does not stay in the book's folder, or cannot be stored.</exception>
    public static string NormalPath(string path)
    {
        var normal = path.Replace('\\', '/');
        while (normal.StartsWith("./", StringComparison.Ordinal))
            normal = normal[2..];

        var parts = normal.Split('/');
        if (normal.StartsWith('/') || parts.Contains("..") || (parts[0].Length == 2 && parts[0][1] == ':'))
            throw new UploadException("path_outside_folder", $"{Shown(path)} leads out of the folder: a path must be relative and without \"..\".");
        if (normal.Length is 0 or > MaxPathLength || parts.Any(part => part is "" or ".") || normal.Any(char.IsControl) || !ValidationFilter.IsStorable(normal))
            throw new UploadException("invalid_path", $"{Shown(path)} is no path: write names with / between them, such as module-1/01-nodes.md.");
        return normal.Trim();
    }

    /// <summary>A name of the client's, short and on one line.</summary>
    public static string Shown(string name) =>
        new([.. name.Take(200).Select(c => char.IsControl(c) || char.IsSurrogate(c) ? '\uFFFD' : c)]);
}

/// <summary>An upload that is refused. The message is the problem's detail.</summary>
internal sealed class UploadException(string code, string message, int status = StatusCodes.Status400BadRequest) : Exception(message)
{
    public string Code { get; } = code;

    public int Status { get; } = status;
}
