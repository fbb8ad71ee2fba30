using System.Collections.Concurrent;
using System.Text;
using ChatBackend.Features.Translate.Documents;
using ChatBackend.Features.Translate.Translating;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Docusaurus;

namespace ChatBackend.Features.Translate.Book;

/// <summary>A page or a file of messages, and what becomes of it.</summary>
/// <param name="Name">As the operator knows it: the page's path in the book, or the file's in the language's folder.</param>
/// <param name="FinishAsync">Writes the translated file.</param>
internal sealed record FileToTranslate(string Name, bool IsPage, TranslatableDocument Document, Func<IReadOnlyList<SegmentTranslation>, CancellationToken, Task<FileChange>> FinishAsync);

/// <summary>What came of a run. The lists have a line for each file that they name.</summary>
internal sealed class BookTranslationResult
{
    public int Written;

    public int Unchanged;

    public int Copied;

    public int Removed;

    public int Drafts;

    public ConcurrentBag<string> Kept { get; } = [];

    public ConcurrentBag<string> Skipped { get; } = [];

    public ConcurrentBag<string> Stale { get; } = [];

    public ConcurrentBag<string> Notes { get; } = [];

    public ConcurrentBag<string> Warnings { get; } = [];

    public ConcurrentBag<string> Failed { get; } = [];
}

/// <summary>One run over a book: reads its files, translates them, writes what has changed.</summary>
internal sealed class BookTranslation(BookLayout layout, TranslationRecord record, BookTranslator translator, HeadingIds headingIds, string targetLanguage, bool force)
{
    /// <summary>Pages at once: a short page alone does not fill the calls that may be in flight.</summary>
    private const int PagesAtOnce = 4;

    /// <summary>So many files one after the other that the model failed: it is unavailable.</summary>
    private const int MostFailures = 3;

    private readonly List<FileToTranslate> _files = [];
    private int _filesDone;
    private int _segmentsDone;
    private int _failures;

    public IReadOnlyList<FileToTranslate> Files => _files;

    public int Segments { get; private set; }

    public int FilesDone => _filesDone;

    public int SegmentsDone => _segmentsDone;

    public TranslationUsage Usage => translator.Usage;

    public BookTranslationResult Result { get; } = new();

    /// <summary>Reads all files. One that cannot be read fails, and the others do not.</summary>
    public async Task<BookSources> ReadAsync(CancellationToken cancellationToken)
    {
        var sources = await layout.FindAsync(cancellationToken);
        foreach (var (path, reason) in sources.Skipped)
            Result.Skipped.Add($"{path}: {reason}");
        foreach (var page in sources.Pages)
            await ReadAsync(page, () => ReadPageAsync(page, cancellationToken));

        var messages = layout.Messages().ToArray();
        foreach (var path in messages)
            await ReadAsync(path, () => ReadMessagesAsync(path, cancellationToken));
        if (layout.Root != layout.Output && messages.Length == 0)
            Result.Notes.Add("the labels of the sidebar and the texts of the site are not there yet: run `npx docusaurus write-translations --locale "
                + $"{Path.GetFileName(layout.Root)}` in the site, then this again.");
        Segments = _files.Sum(file => file.Document.Segments.Count);

        return sources;
    }

    public Task<TranslationCost> CostAsync(FileToTranslate file, CancellationToken cancellationToken) => translator.CostAsync(file.Document, cancellationToken);

    /// <summary>Translates all files and writes those that have changed.</summary>
    public async Task TranslateAsync(CancellationToken cancellationToken)
    {
        using var unavailable = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        try
        {
            await Parallel.ForEachAsync(_files, new ParallelOptions { MaxDegreeOfParallelism = PagesAtOnce, CancellationToken = unavailable.Token }, async (file, token) =>
            {
                if (await TranslateAsync(file, token) is not { } failure)
                    _failures = 0;
                else if (failure.IsSettings || Interlocked.Increment(ref _failures) >= MostFailures)
                    await unavailable.CancelAsync();
            });
        }
        catch (OperationCanceledException) when (unavailable.IsCancellationRequested && !cancellationToken.IsCancellationRequested)
        {
            Result.Failed.Add($"{_files.Count - _filesDone - Result.Failed.Count} other files: they were not tried, because the model does not answer. Run the command again: what is translated is stored.");
        }
    }

    /// <summary>Copies what pages show and import.</summary>
    public async Task CopyAsync(IReadOnlyList<string> paths, CancellationToken cancellationToken)
    {
        foreach (var path in paths)
        {
            try
            {
                var content = await File.ReadAllBytesAsync(Path.Combine(layout.Docs, path), cancellationToken);
                switch (await record.WriteAsync(layout.InRoot(path), content, original: null, force, cancellationToken))
                {
                    case FileChange.Written:
                        Result.Copied++;
                        break;
                    case FileChange.Kept:
                        Result.Kept.Add(path);
                        break;
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                Result.Failed.Add($"{path}: {exception.Message}");
            }
        }
    }

    /// <summary>Removes the files that an earlier run wrote and whose originals are gone; without <paramref name="prune"/> it names them.</summary>
    public async Task RemoveAsync(BookSources sources, bool prune, CancellationToken cancellationToken)
    {
        var present = sources.Pages.Concat(sources.Others).Concat(sources.Skipped.Select(skipped => skipped.Path)).Select(layout.InRoot).ToHashSet(StringComparer.Ordinal);
        foreach (var path in record.Files.Where(path => path.StartsWith(layout.Prefix, StringComparison.Ordinal) && !present.Contains(path)).ToArray())
        {
            if (!File.Exists(Path.Combine(layout.Root, path)))
                continue;
            if (!prune)
                Result.Stale.Add(path[layout.Prefix.Length..]);
            else if (await record.DeleteAsync(path, cancellationToken))
                Result.Removed++;
            else
                Result.Kept.Add(path[layout.Prefix.Length..]);
        }
    }

    private async Task ReadAsync(string name, Func<Task<FileToTranslate?>> readAsync)
    {
        try
        {
            if (await readAsync() is { } file)
                _files.Add(file);
            else
                Result.Drafts++;
        }
        catch (Exception exception) when (exception is DocumentException or IOException or UnauthorizedAccessException)
        {
            Result.Failed.Add($"{name}: {exception.Message}");
        }
    }

    /// <summary>Null for a draft.</summary>
    private async Task<FileToTranslate?> ReadPageAsync(string page, CancellationToken cancellationToken)
    {
        var text = await BookFolder.ReadAsync(layout.Docs, page, cancellationToken);
        if (FrontMatter.Split(FrontMatter.Normalize(text)).FrontMatter.Draft)
            return null;

        var document = TranslatableDocument.Parse(text);

        return new(page, IsPage: true, document, (outcomes, token) =>
        {
            var translated = TranslatedDocument.Of(document, outcomes, headingIds);
            foreach (var warning in translated.Warnings)
                Result.Warnings.Add($"{page}, line {warning.Line}: {warning.Detail}");

            return record.WriteAsync(layout.InRoot(page), Encoding.UTF8.GetBytes(translated.Text), Encoding.UTF8.GetBytes(text), force, token);
        });
    }

    private async Task<FileToTranslate?> ReadMessagesAsync(string path, CancellationToken cancellationToken)
    {
        var original = await File.ReadAllTextAsync(Path.Combine(layout.Root, path), cancellationToken);
        var messages = SiteMessages.Parse(path, original, record, targetLanguage, force);
        foreach (var key in messages.Unclear)
            Result.Warnings.Add($"{path}, {key}: This text is not translated. It has markup that could be damaged.");

        return new(path, IsPage: false, messages.Document, async (outcomes, token) =>
        {
            var translated = TranslatedDocument.Of(messages.Document, outcomes, HeadingIds.None);
            foreach (var outcome in outcomes.Where(outcome => !translated.Translations.ContainsKey(outcome.Segment.Index)))
                Result.Warnings.Add($"{path}, {messages.KeyOf(outcome.Segment)}: This text is not translated. {outcome.Problem}");
            var (text, written) = messages.Translate(translated.Translations);
            if (text == original)
                return FileChange.Unchanged;

            await record.NoteAsync(path, written, token);
            await TranslationRecord.ReplaceAsync(Path.Combine(layout.Root, path), Encoding.UTF8.GetBytes(text));

            return FileChange.Written;
        });
    }

    /// <returns>The model's failure. Such a file is not written: another run translates what is missing.</returns>
    private async Task<ModelException?> TranslateAsync(FileToTranslate file, CancellationToken cancellationToken)
    {
        var outcomes = new List<SegmentTranslation>();
        try
        {
            await foreach (var outcome in translator.TranslateAsync(file.Document, cancellationToken))
            {
                outcomes.Add(outcome);
                Interlocked.Increment(ref _segmentsDone);
            }

            if (outcomes.Find(outcome => outcome.Failure is not null)?.Failure is { } failure)
            {
                Result.Failed.Add($"{file.Name}: {failure.Message}");
                return failure;
            }

            switch (await file.FinishAsync(outcomes, cancellationToken))
            {
                case FileChange.Written:
                    Interlocked.Increment(ref Result.Written);
                    break;
                case FileChange.Unchanged:
                    Interlocked.Increment(ref Result.Unchanged);
                    break;
                case FileChange.Kept:
                    Result.Kept.Add(file.Name);
                    break;
            }

            Interlocked.Increment(ref _filesDone);
        }
        catch (ModelException failure)
        {
            Result.Failed.Add($"{file.Name}: {failure.Message}");
            return failure;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            Result.Failed.Add($"{file.Name}: {exception.Message}");
        }

        return null;
    }
}
