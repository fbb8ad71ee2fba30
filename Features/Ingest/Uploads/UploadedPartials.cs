using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Infrastructure.Docusaurus;

namespace ChatBackend.Features.Ingest.Uploads;

/// <summary>Adds documents that come in any order: a page that imports others waits until all have come.</summary>
internal sealed class UploadedPartials(JobUpload upload)
{
    /// <summary>What waits, in UTF-16 code units. Pages with imports are few, and partials short.</summary>
    private const int MaxCharacters = 4 * 1024 * 1024;

    private readonly Dictionary<string, string> _partials = new(StringComparer.Ordinal);
    private readonly List<UploadedDocument> _importing = [];
    private long _characters;

    /// <summary>What Docusaurus does not publish is listed as skipped, and may be imported.</summary>
    /// <exception cref="UploadException">A path is there twice, or too much is imported.</exception>
    public async Task AddAsync(UploadedDocument document, CancellationToken cancellationToken)
    {
        var isSource = BookFolder.IsSource(document.Path);
        if (isSource && (BookFolder.IsPublished(document.Path) || CategoryFile.Is(document.Path)))
        {
            if (!MdxPartials.AreIn(document.Content))
                await upload.AddAsync(document, cancellationToken);
            else
                _importing.Add(Counted(document));
            return;
        }

        upload.Skip(document.Path, isSource ? "Docusaurus does not publish names that begin with _." : "A page's name ends with .md or .mdx, and no part of its path begins with a dot.");
        if (isSource && !_partials.TryAdd(document.Path, Counted(document).Content))
            throw new UploadException("duplicate_path", $"{UploadedDocument.Shown(document.Path)} is in the upload twice.");
    }

    /// <summary>Adds the pages that waited, in the order of the upload.</summary>
    /// <exception cref="UploadException">A path is there twice, or the upload is too large.</exception>
    public async Task AddImportingAsync(CancellationToken cancellationToken)
    {
        foreach (var page in _importing)
            await upload.AddAsync(await InlineAsync(page, cancellationToken), cancellationToken);
    }

    private async Task<UploadedDocument> InlineAsync(UploadedDocument page, CancellationToken cancellationToken)
    {
        try
        {
            return page with { Content = await MdxPartials.InlineAsync(page.Path, page.Content, (path, _) => Task.FromResult(_partials.GetValueOrDefault(path)), cancellationToken) };
        }
        catch (DocumentException e)
        {
            return page with { Content = "", Problem = e.Message };
        }
    }

    private UploadedDocument Counted(UploadedDocument document)
    {
        _characters += document.Content.Length;
        return _characters <= MaxCharacters ? document : throw new UploadException(
            "upload_too_large", $"Pages with imports and partials have more than {MaxCharacters / 1024 / 1024} MB of text: send a zip.", StatusCodes.Status413PayloadTooLarge);
    }
}
