using System.IO.Enumeration;
using System.Text;

namespace ChatBackend.Infrastructure.Docusaurus;

/// <param name="Pages">The pages' paths below the folder, with forward slashes, in ordinal order.</param>
/// <param name="Skipped">Files that have a page's name but are not pages, with the reason.</param>
/// <param name="Categories">The folders' <c>_category_</c> files.</param>
internal sealed record BookFiles(IReadOnlyList<string> Pages, IReadOnlyList<(string Path, string Reason)> Skipped, IReadOnlyList<string> Categories);

/// <summary>The pages of a book in a folder: the <c>.md</c> and <c>.mdx</c> files that Docusaurus would publish.</summary>
internal static class BookFolder
{
    /// <summary>More than any page written by hand: about 300,000 words. Cutting a page takes many times its size in memory.</summary>
    public const long MaxBytes = 2 * 1024 * 1024;

    /// <summary>Throws for bytes that are not UTF-8.</summary>
    public static readonly UTF8Encoding StrictUtf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    /// <remarks>
    /// Ignored, as in Docusaurus: names that begin with <c>_</c> (partials). Also ignored: hidden names,
    /// <c>node_modules</c>, and symbolic links to folders. Skipped: links that are broken, circular or lead out of the
    /// folder, empty files, and anything that is not a regular file.
    /// </remarks>
    /// <exception cref="DirectoryNotFoundException">The folder does not exist.</exception>
    public static BookFiles Find(string folder)
    {
        var root = Root(folder);
        var files = new FileSystemEnumerable<string>(
            root,
            (ref entry) => Path.GetRelativePath(root, entry.ToFullPath()).Replace(Path.DirectorySeparatorChar, '/'),
            new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None, IgnoreInaccessible = false })
        {
            ShouldRecursePredicate = static (ref entry) =>
                !IsLeftOut(entry.FileName) && entry.FileName is not "node_modules" && !entry.Attributes.HasFlag(FileAttributes.ReparsePoint),
            ShouldIncludePredicate = static (ref entry) => !entry.IsDirectory && ((!IsLeftOut(entry.FileName) && IsPage(entry.FileName)) || CategoryFile.IsName(entry.FileName)),
        };

        var found = files.Order(StringComparer.Ordinal).Select(path => (Path: path, Reason: WhyNoPage(root, path))).ToList();
        return new(
            [.. found.Where(f => f.Reason is null && !CategoryFile.Is(f.Path)).Select(f => f.Path)],
            [.. found.Where(f => f.Reason is not null).Select(f => (f.Path, f.Reason!))],
            [.. found.Where(f => f.Reason is null && CategoryFile.Is(f.Path)).Select(f => f.Path)]);
    }

    /// <summary>A page with the partials that it imports from the folder.</summary>
    /// <exception cref="DocumentException">The page or a partial is too large, is not text, or has a broken front matter.</exception>
    public static async Task<string> ReadWithPartialsAsync(string folder, string page, CancellationToken cancellationToken)
    {
        var root = Root(folder);

        return await MdxPartials.InlineAsync(page, await ReadAsync(folder, page, cancellationToken), ReadPartialAsync, cancellationToken);

        async Task<string?> ReadPartialAsync(string path, CancellationToken token) =>
            !path.StartsWith("..", StringComparison.Ordinal) && File.Exists(Path.Combine(root, path)) && WhyNoPage(root, path) is null
                ? await ReadAsync(root, path, token)
                : null;
    }

    /// <exception cref="DocumentException">The page is too large, or is not text.</exception>
    public static async Task<string> ReadAsync(string folder, string page, CancellationToken cancellationToken)
    {
        var path = Path.Combine(Root(folder), page);

        try
        {
            if (new FileInfo(path).Length > MaxBytes)
                throw new DocumentException($"The file is larger than {MaxBytes / 1024 / 1024} MB.");

            return await File.ReadAllTextAsync(path, StrictUtf8, cancellationToken);
        }
        catch (DecoderFallbackException exception)
        {
            throw new DocumentException("The file is not UTF-8 text.", exception);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            throw new DocumentException($"The file cannot be read: {exception.Message}", exception);
        }
    }

    /// <summary>True for a path that Docusaurus publishes as a page.</summary>
    public static bool IsPublished(string path) => IsPage(path) && IsSource(path) && !path.Split('/').Any(name => IsLeftOut(name));

    /// <summary>True for the path of a page, of a partial that pages may import, or of a folder's <c>_category_</c> file.</summary>
    public static bool IsSource(string path) =>
        (IsPage(path) || CategoryFile.Is(path)) && !path.Split('/').Any(name => name.StartsWith('.') || name is "node_modules" or "__MACOSX");

    private static string Root(string folder)
    {
        var directory = new DirectoryInfo(Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder)));
        if (!directory.Exists)
            throw new DirectoryNotFoundException($"There is no folder {folder}.");

        return directory.ResolveLinkTarget(returnFinalTarget: true)?.FullName ?? directory.FullName;
    }

    private static bool IsLeftOut(ReadOnlySpan<char> name) => name.StartsWith('.') || name.StartsWith('_');

    private static bool IsPage(ReadOnlySpan<char> name) =>
        name.EndsWith(".md", StringComparison.OrdinalIgnoreCase) || name.EndsWith(".mdx", StringComparison.OrdinalIgnoreCase);

    private static string? WhyNoPage(string root, string path)
    {
        try
        {
            FileSystemInfo file = new FileInfo(Path.Combine(root, path));
            if (file.LinkTarget is not null)
            {
                if (file.ResolveLinkTarget(returnFinalTarget: true) is not { Exists: true } target)
                    return "The link leads nowhere.";
                if (!target.FullName.StartsWith(root + Path.DirectorySeparatorChar, StringComparison.Ordinal))
                    return "The link leads out of the folder.";
                file = target;
            }

            // A pipe, a socket or a device has no length, and opening one may block forever.
            return file is FileInfo { Length: > 0 } ? null : "It is empty, or not a regular file.";
        }
        catch (IOException)
        {
            return "The link leads in a circle.";
        }
    }
}
