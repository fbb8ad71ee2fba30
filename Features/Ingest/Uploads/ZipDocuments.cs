using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Docusaurus.Site;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Ingest.Uploads;

/// <summary>
/// The pages in a zip of a book's folder, or of the site's with translations and versions. The table of contents is at a zip's end, so the body is first written to a temporary file, which
/// has no name for others and is gone when it is closed; of its entries one is in memory at a time. Other files than pages are not unpacked.
/// </summary>
internal sealed class ZipDocuments : IAsyncDisposable
{
    private const int MaxEntries = 30_000;

    /// <summary>The table of contents has at least 46 bytes per entry, and ZipArchive reads all of it into memory.</summary>
    private const int MaxDirectoryBytes = 4 * 1024 * 1024;

    /// <summary>Text becomes about 3 to 10 times smaller. Below <see cref="EnoughToTell"/> the ratio says nothing.</summary>
    private const int MaxRatio = 100;

    private const int EnoughToTell = 1024 * 1024;

    private readonly FileStream _file;
    private readonly ZipArchive _archive;
    private readonly ZipLayout _layout;
    private readonly Dictionary<string, ZipArchiveEntry> _texts;

    /// <summary>One for all entries: each of its own would be garbage that is collected late.</summary>
    private readonly MemoryStream _bytes = new();

    private long _unpacked;

    private ZipDocuments(FileStream file, ZipArchive archive, ZipLayout layout, Dictionary<string, ZipArchiveEntry> texts) =>
        (_file, _archive, _layout, _texts) = (file, archive, layout, texts);

    /// <param name="body">As long as the route's limit lets it be.</param>
    /// <param name="root">The docs folder in the archive; null for <c>docs</c>, if all pages are below it or beside it as in a site, else the top.</param>
    /// <param name="version">The version of the docs; null for Docusaurus' current version.</param>
    /// <exception cref="UploadException">It is not a zip, or an entry is not what a book has.</exception>
    public static async Task<ZipDocuments> OpenAsync(Stream body, string? root, string? version, CancellationToken cancellationToken)
    {
        var file = CreateFile();
        try
        {
            await body.CopyToAsync(file, cancellationToken);
            await RequireSmallDirectoryAsync(file, cancellationToken);
            var archive = OpenArchive(file);
            var sources = Sources(archive);
            var layout = ZipLayout.Of([.. sources.Select(source => source.Path)], root, version);
            return new(file, archive, layout, Texts(sources, layout));
        }
        catch
        {
            await file.DisposeAsync();
            throw;
        }
    }

    /// <summary>Adds the pages, each with the partials that it imports. A page that is not text becomes a problem of its document.</summary>
    /// <exception cref="UploadException">There are no pages, or an entry is broken, too large, or unpacks to far more than it is.</exception>
    public async Task AddToAsync(JobUpload upload, CancellationToken cancellationToken)
    {
        if (!_texts.Keys.Any(BookFolder.IsPublished))
            throw new UploadException("no_documents", $"There are no .md or .mdx files in the archive{(_layout.Docs.Length > 0 ? $" below {UploadedDocument.Shown(_layout.Docs)}" : "")}.");

        // As from a folder: the translations come behind the book's own pages, and have its categories.
        var pages = _texts.Where(t => BookFolder.IsPublished(t.Key) || (CategoryFile.Is(t.Key) && PassageLanguage.Split(t.Key).Language is null))
            .OrderBy(t => PassageLanguage.Split(t.Key).Language, StringComparer.Ordinal).ThenBy(t => t.Key, StringComparer.Ordinal);
        foreach (var (path, entry) in pages)
            await upload.AddAsync(await ReadAsync(path, entry, cancellationToken), cancellationToken);
    }

    /// <summary>The manifest of the built site, <c>site.json</c> at the top of the archive; null if there is none.</summary>
    /// <exception cref="UploadException">It is not a manifest.</exception>
    public async Task<SiteManifest?> ReadSiteAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (_archive.GetEntry("site.json") is not { } entry)
                return null;
            await UnpackAsync(entry, SiteManifest.MaxBytes, cancellationToken);
            return SiteManifest.Parse(Unpacked);
        }
        catch (DocumentException e)
        {
            throw new UploadException("invalid_site", e.Message);
        }
    }

    /// <inheritdoc cref="BookFolders.Route"/>
    /// <exception cref="UploadException">There is no such version, or the list of versions is broken.</exception>
    public async Task<string?> ReadRouteAsync(CancellationToken cancellationToken)
    {
        try
        {
            return BookFolders.RouteOf(_layout.Version, _layout.Versions is { } list && _archive.GetEntry(list) is { } entry ? await ReadTextAsync(entry, cancellationToken) : null);
        }
        catch (DocumentException e)
        {
            throw new UploadException("unknown_version", e.Message);
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
        if (BinaryPrimitives.ReadUInt16LittleEndian(tail.AsSpan(record + 10)) > MaxEntries)
            throw TooManyEntries();
        var start = BinaryPrimitives.ReadUInt32LittleEndian(tail.AsSpan(record + 16));
        if (start != uint.MaxValue && file.Length - start > MaxDirectoryBytes)
        {
            throw new UploadException(
                "too_many_entries", $"The archive's table of contents is larger than {MaxDirectoryBytes / 1024 / 1024} MB.", StatusCodes.Status413PayloadTooLarge);
        }

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

    /// <summary>The Markdown files with their paths in the archive, partials included.</summary>
    private static List<(string Path, ZipArchiveEntry Entry)> Sources(ZipArchive archive)
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

        return found;
    }

    /// <summary>The files by their path in the book.</summary>
    private static Dictionary<string, ZipArchiveEntry> Texts(List<(string Path, ZipArchiveEntry Entry)> sources, ZipLayout layout)
    {
        var texts = new Dictionary<string, ZipArchiveEntry>(StringComparer.Ordinal);
        foreach (var (path, entry) in sources)
        {
            if (layout.PathInBook(path) is { } own && !texts.TryAdd(own, entry))
                throw new UploadException("duplicate_path", $"{UploadedDocument.Shown(entry.FullName)} is in the archive twice.");
        }

        // Before they are unpacked: so many would be stored in vain.
        if (texts.Count > JobUpload.MaxDocuments)
            throw JobUpload.TooManyDocuments();
        return texts;
    }

    /// <summary>A symbolic link by its Unix mode, in the upper half of the external attributes.</summary>
    private static bool IsLink(ZipArchiveEntry entry) => ((entry.ExternalAttributes >> 16) & 0xF000) == 0xA000;

    private async Task<UploadedDocument> ReadAsync(string path, ZipArchiveEntry entry, CancellationToken cancellationToken)
    {
        try
        {
            var content = await ReadTextAsync(entry, cancellationToken);
            _unpacked += content.Length;
            if (IsBomb(_unpacked, _file.Length))
                throw Bomb(entry);
            return new(path, await MdxPartials.InlineAsync(
                path, content, async (partial, token) => _texts.TryGetValue(partial, out var other) ? await ReadTextAsync(other, token) : null, cancellationToken));
        }
        catch (DocumentException e)
        {
            return new(path, "", Problem: e.Message);
        }
    }

    private ReadOnlySpan<byte> Unpacked => _bytes.GetBuffer().AsSpan(0, (int)_bytes.Length);

    private async Task<string> ReadTextAsync(ZipArchiveEntry entry, CancellationToken cancellationToken)
    {
        await UnpackAsync(entry, BookFolder.MaxBytes, cancellationToken);
        try
        {
            return BookFolder.StrictUtf8.GetString(Unpacked);
        }
        catch (DecoderFallbackException e)
        {
            throw new DocumentException("The file is not UTF-8 text.", e);
        }
    }

    /// <summary>The bytes are counted as they come: the lengths in the archive may be wrong.</summary>
    private async Task UnpackAsync(ZipArchiveEntry entry, long maxBytes, CancellationToken cancellationToken)
    {
        var name = UploadedDocument.Shown(entry.FullName);
        if (entry.IsEncrypted)
            throw new UploadException("encrypted_entry", $"{name} is encrypted.");

        _bytes.SetLength(0);
        var checksum = Crc32.Start;
        try
        {
            await using var unpacked = await entry.OpenAsync(cancellationToken);
            var buffer = new byte[64 * 1024];
            for (int read; (read = await unpacked.ReadAsync(buffer, cancellationToken)) > 0;)
            {
                if (_bytes.Length + read > maxBytes)
                    throw new UploadException("document_too_large", $"{name} has more than {maxBytes / 1024 / 1024} MB.", StatusCodes.Status413PayloadTooLarge);
                _bytes.Write(buffer, 0, read);
                checksum = Crc32.Add(checksum, buffer.AsSpan(0, read));
                if (IsBomb(_bytes.Length, entry.CompressedLength))
                    throw Bomb(entry);
            }
        }
        catch (InvalidDataException)
        {
            throw new UploadException("invalid_archive", $"{name} cannot be unpacked: the archive is broken, or uses a method other than deflate.");
        }

        if (Crc32.End(checksum) != entry.Crc32)
            throw new UploadException("invalid_archive", $"{name} is damaged: its content does not have the checksum that the archive names.");
    }

    private static bool IsBomb(long unpacked, long packed) => unpacked > EnoughToTell && unpacked > MaxRatio * packed;

    private static UploadException Bomb(ZipArchiveEntry entry) =>
        new("archive_bomb", $"{UploadedDocument.Shown(entry.FullName)}: the archive unpacks to more than {MaxRatio} times its size.");
}
