using System.Net.Mime;
using System.Reflection;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.Net.Http.Headers;

namespace ChatBackend.Features.Profile;

/// <summary>A file that is written first and sent then. It has no name in the file system, so a process that is killed leaves nothing behind.</summary>
internal sealed class DownloadedFile : IResult, IEndpointMetadataProvider, IAsyncDisposable
{
    private const int BufferBytes = 64 * 1024;

    private readonly FileStream _content;
    private readonly string _name;

    private DownloadedFile(FileStream content, string name) => (_content, _name) = (content, name);

    public Stream Content => _content;

    /// <param name="name">The name under which browsers save it.</param>
    public static DownloadedFile Create(string name)
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            BufferSize = BufferBytes,
            Options = FileOptions.Asynchronous | FileOptions.DeleteOnClose,
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        var content = new FileStream(Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()), options);
        // Windows deletes it with the process. Elsewhere an open file needs no name.
        if (!OperatingSystem.IsWindows())
            File.Delete(content.Name);
        return new(content, name);
    }

    public void Clear() => _content.SetLength(0);

    public async Task ExecuteAsync(HttpContext context)
    {
        await using var content = _content;
        content.Position = 0;
        var response = context.Response;
        response.ContentType = MediaTypeNames.Application.Json;
        response.ContentLength = content.Length;
        response.Headers.ContentDisposition = new ContentDispositionHeaderValue("attachment") { FileName = _name }.ToString();
        response.Headers.CacheControl = "no-store";
        if (!HttpMethods.IsHead(context.Request.Method))
            await content.CopyToAsync(response.Body, BufferBytes, context.RequestAborted);
    }

    public ValueTask DisposeAsync() => _content.DisposeAsync();

    static void IEndpointMetadataProvider.PopulateMetadata(MethodInfo method, EndpointBuilder builder) =>
        builder.Metadata.Add(new ProducesResponseTypeMetadata(StatusCodes.Status200OK, typeof(ExportResponse), [MediaTypeNames.Application.Json]));
}
