using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Ingest.Uploads;

/// <summary>Uploads a folder of this machine.</summary>
internal static class FolderUpload
{
    /// <summary>A page that cannot be read becomes a problem of its document.</summary>
    public static async Task AddFolderAsync(this JobUpload upload, string folder, BookFiles files, CancellationToken cancellationToken)
    {
        foreach (var (path, reason) in files.Skipped)
            upload.Skip(path, reason);
        foreach (var page in files.Pages.Concat(files.Categories))
            await upload.AddAsync(await ReadAsync(folder, page, cancellationToken), cancellationToken);
    }

    /// <summary>Adds the pages of a translation. Its categories are those of the book.</summary>
    public static async Task AddTranslationAsync(this JobUpload upload, string language, string folder, CancellationToken cancellationToken)
    {
        var files = BookFolder.Find(folder);
        foreach (var (path, reason) in files.Skipped)
            upload.Skip(PassageLanguage.PathOf(language, path), reason);
        foreach (var page in files.Pages)
        {
            var document = await ReadAsync(folder, page, cancellationToken);
            await upload.AddAsync(document with { Path = PassageLanguage.PathOf(language, document.Path) }, cancellationToken);
        }
    }

    private static async Task<UploadedDocument> ReadAsync(string folder, string page, CancellationToken cancellationToken)
    {
        try
        {
            return new(UploadedDocument.NormalPath(page), await BookFolder.ReadWithPartialsAsync(folder, page, cancellationToken));
        }
        catch (DocumentException e)
        {
            return new(page, "", Problem: e.Message);
        }
    }
}
