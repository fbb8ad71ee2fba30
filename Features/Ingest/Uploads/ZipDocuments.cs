using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Docusaurus.Site;

namespace ChatBackend.Features.Ingest.Uploads;

/// <summary>
/// The pages in a zip of a book's folder. The table of contents is at a zip's end, so the body is first written to a temporary file, which
/// has no name for others and is gone when it is closed; of its entries one is in memory at a time. Other files than pages are not unpacked.
/// </summary>
internal sealed class ZipDocuments : IAsyncDisposable
{
    private const int MaxEntries = 50_000;

    /// <summary>The table of contents has at least 46 bytes per entry, and ZipArchive reads all of it into memory.</summary>
    private const int MaxDirectoryBytes = 6 * 1024 * 1024;

    /// <summary>Text becomes about 3 to 10 times smaller. Below <see cref="EnoughToTell"/> the ratio says nothing.</summary>
    private const int MaxRatio = 100;

    private const int EnoughToTell = 1024 * 1024;

    private readonly FileStream _file;
    private readonly ZipArchive _archive;
    private readonly Dictionary<string, ZipArchiveEntry> _texts;
    private long _unpacked;

    private ZipDocuments(FileStream file, ZipArchive archive, Dictionary<string, ZipArchiveEntry> texts) => (_file, _archive, _texts) = (file, archive, texts);

    /// <param name="body">As long as the route's limit lets it be.</param>
    /// <param name="root">The folder of the book in the archive; null for <c>docs</c>, if all pages are below it, else the top.</param>
    /// <exception cref="UploadException">It is not a zip, or an entry is not what a book has.</exception>
    public static async Task<ZipDocuments> OpenAsync(Stream body, string? root, CancellationToken cancellationToken)
    {
        var file = CreateFile();
        try
        {
            await body.CopyToAsync(file, cancellationToken);
            await RequireSmallDirectoryAsync(file, cancellationToken);
            var archive = OpenArchive(file);
            return new(file, archive, Texts(archive, root));
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }

    /// <summary>Adds the pages, each with the partials that it imports. A page that is not text becomes a problem of its document.</summary>
    /// <exception cref="UploadException">An entry is broken, too large, or unpacks to far more than it is.</exception>
    public async Task AddToAsync(JobUpload upload, CancellationToken cancellationToken)
    {
        foreach (var (path, entry) in _texts.Where(t => BookFolder.IsPublished(t.Key) || CategoryFile.Is(t.Key)).OrderBy(t => t.Key, StringComparer.Ordinal))
            await upload.AddAsync(await ReadAsync(path, entry, cancellationToken), cancellationToken);
    }

    /// <summary>The manifest of the built site, <c>site.json</c> at the top of the archive; null if there is none.</summary>
    /// <exception cref="UploadException">It is not a manifest.</exception>
    public async Task<SiteManifest?> ReadSiteAsync(CancellationToken cancellationToken)
    {
        try
        {
            return _archive.GetEntry("site.json") is { } entry ? SiteManifest.Parse(await UnpackAsync(entry, cancellationToken)) : null;
        }
        catch (DocumentException e)
        {
            throw new UploadException("invalid_site", e.Message);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _archive.DisposeAsync();
        await _file.DisposeAsync();
    }

    private static FileStream CreateFile()
    {
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.ReadWrite,
            Share = FileShare.None,
            Options = FileOptions.Asynchronous | FileOptions.DeleteOnClose,
        };
        if (!OperatingSystem.IsWindows())
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        return new(Path.Combine(Path.GetTempPath(), $"chatbackend-{Guid.NewGuid():N}.zip"), options);
    }

    /// <summary>Refuses a table of contents with millions of entries before it is read (APPNOTE 4.3.16).</summary>
    private static async Task RequireSmallDirectoryAsync(FileStream file, CancellationToken cancellationToken)
    {
        const int RecordBytes = 22;
        var tail = new byte[Math.Min(file.Length, RecordBytes + ushort.MaxValue)];
        file.Position = file.Length - tail.Length;
        await file.ReadExactlyAsync(tail, cancellationToken);
        file.Position = 0;

        var record = tail.AsSpan().LastIndexOf("PK\u0005\u0006"u8);
        if (record < 0 || tail.Length - record < RecordBytes)
            throw new UploadException("invalid_archive", "The body is not a zip file, or it was cut.");
        var start = BinaryPrimitives.ReadUInt32LittleEndian(tail.AsSpan(record + 16));
        if (start != uint.MaxValue && file.Length - start > MaxDirectoryBytes)
            throw TooManyEntries();
        // Zip64 is for archives that are larger than the limit.
        if (start == uint.MaxValue)
            throw new UploadException("invalid_archive", "Zip64 archives are not read.");
    }

    private static UploadException TooManyEntries() =>
        new("too_many_entries", $"The archive has more than {MaxEntries:N0} entries.", StatusCodes.Status413PayloadTooLarge);

    private static ZipArchive OpenArchive(FileStream file)
    {
        try
        {
            var archive = new ZipArchive(file, ZipArchiveMode.Read, leaveOpen: true);
            return archive.Entries.Count <= MaxEntries ? archive : throw TooManyEntries();
        }
        catch (InvalidDataException)
        {
            throw new UploadException("invalid_archive", "The zip file's table of contents is broken.");
        }
    }

    /// <summary>The Markdown files by their path in the book, partials included.</summary>
    private static Dictionary<string, ZipArchiveEntry> Texts(ZipArchive archive, string? root)
    {
        var found = new List<(string Path, ZipArchiveEntry Entry)>();
        foreach (var entry in archive.Entries)
        {
            if (IsLink(entry))
                throw new UploadException("link_in_archive", $"{UploadedDocument.Shown(entry.FullName)} is a link: an archive must hold the file itself.");
            var name = entry.FullName.Replace('\\', '/');
            if (name.StartsWith('/') || name.Split('/').Contains(".."))
                UploadedDocument.NormalPath(name);
            if (BookFolder.IsSource(name))
                found.Add((UploadedDocument.NormalPath(name), entry));
        }

        var folder = root is null
            ? found.Count > 0 && found.TrueForAll(f => f.Path.StartsWith("docs/", StringComparison.Ordinal)) ? "docs/" : ""
            : root.Trim('/') is { Length: > 0 } given ? given + "/" : "";
        var texts = new Dictionary<string, ZipArchiveEntry>(StringComparer.Ordinal);
        foreach (var (path, entry) in found.Where(f => f.Path.StartsWith(folder, StringComparison.Ordinal)))
        {
            if (!texts.TryAdd(path[folder.Length..], entry))
                throw new UploadException("duplicate_path", $"{UploadedDocument.Shown(entry.FullName)} is in the archive twice.");
        }

        return texts.Keys.Any(BookFolder.IsPublished)
            ? texts
            : throw new UploadException("no_documents", $"There are no .md or .mdx files in the archive{(folder.Length > 0 ? $" below {UploadedDocument.Shown(folder)}" : "")}.");
    }

    /// <summary>A symbolic link by its Unix mode, in the upper half of the external attributes.</summary>
    private static bool IsLink(ZipArchiveEntry entry) => ((entry.ExternalAttributes >> 16) & 0xF000) == 0xA000;

    private async Task<UploadedDocument> ReadAsync(string path, ZipArchiveEntry entry, CancellationToken cancellationToken)
    {
        try
        {
            var content = await UnpackAsync(entry, cancellationToken);
            _unpacked += content.Length;
            if (IsBomb(_unpacked, _file.Length))
                throw Bomb(entry);
            return new(path, await MdxPartials.InlineAsync(
                path, content, async (partial, token) => _texts.TryGetValue(partial, out var other) ? await UnpackAsync(other, token) : null, cancellationToken));
        }
        catch (DocumentException e)
        {
            return new(path, "", Problem: e.Message);
        }
    }

    /// <summary>The bytes are counted as they come: the lengths in the archive may be wrong.</summary>
    private static async Task<string> UnpackAsync(ZipArchiveEntry entry, CancellationToken cancellationToken)
    {
        var name = UploadedDocument.Shown(entry.FullName);
        if (entry.IsEncrypted)
            throw new UploadException("encrypted_entry", $"{name} is encrypted.");

        var bytes = new MemoryStream();
        try
        {
            await using var unpacked = await entry.OpenAsync(cancellationToken);
            var buffer = new byte[64 * 1024];
            for (int read; (read = await unpacked.ReadAsync(buffer, cancellationToken)) > 0;)
            {
                bytes.Write(buffer, 0, read);
                if (bytes.Length > BookFolder.MaxBytes)
                    throw new UploadException("document_too_large", $"{name} has more than {BookFolder.MaxBytes / 1024 / 1024} MB.", StatusCodes.Status413PayloadTooLarge);
                if (IsBomb(bytes.Length, entry.CompressedLength))
                    throw Bomb(entry);
            }
        }
        catch (InvalidDataException)
        {
            throw new UploadException("invalid_archive", $"{name} cannot be unpacked: the archive is broken, or uses a method other than deflate.");
        }

        try
        {
            return BookFolder.StrictUtf8.GetString(bytes.GetBuffer(), 0, (int)bytes.Length);
        }
        catch (DecoderFallbackException e)
        {
            throw new DocumentException("The file is not UTF-8 text.", e);
        }
    }

    private static bool IsBomb(long unpacked, long packed) => unpacked > EnoughToTell && unpacked > MaxRatio * packed;

    private static UploadException Bomb(ZipArchiveEntry entry) =>
        new("archive_bomb", $"{UploadedDocument.Shown(entry.FullName)}: the archive unpacks to more than {MaxRatio} times its size.");
}
