using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace ChatBackend.Features.Translate.Book;

/// <summary>What <see cref="TranslationRecord.WriteAsync"/> did.</summary>
internal enum FileChange
{
    Written,
    Unchanged,

    /// <summary>Somebody has changed the file, or has written it: it stays as it is.</summary>
    Kept,
}

/// <summary>
/// The file <c>.translated.jsonl</c> in a language's folder: which files this command has written, and from which texts. So a page that somebody has
/// corrected by hand is not overwritten, and a translated label is not translated again.
/// </summary>
/// <remarks>A line is written before the file that it is about, so a process that is killed between them leaves a line too many and never one too few.</remarks>
internal sealed class TranslationRecord : IAsyncDisposable
{
    private const string Name = ".translated.jsonl";

    private static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    private readonly string _root;
    private readonly Dictionary<(string Path, string? Key), List<Line>> _lines = [];
    private readonly SemaphoreSlim _writing = new(1);
    private StreamWriter? _journal;

    private TranslationRecord(string root) => _root = root;

    /// <summary>The files that were written, by their paths below the root.</summary>
    public IEnumerable<string> Files => _lines.Keys.Where(line => line.Key is null).Select(line => line.Path);

    /// <param name="root">The language's folder, which need not exist yet.</param>
    public static async Task<TranslationRecord> OpenAsync(string root, CancellationToken cancellationToken)
    {
        var record = new TranslationRecord(root);
        var file = Path.Combine(root, Name);
        foreach (var line in File.Exists(file) ? await File.ReadAllLinesAsync(file, cancellationToken) : [])
        {
            // The last line of a process that was killed may be half a line: its file was not written.
            if (Parse(line) is { } parsed)
                record.Add(parsed);
        }

        return record;
    }

    /// <summary>The text from which a message was translated; null if this command did not write it.</summary>
    public string? SourceOf(string path, string key, string message) =>
        _lines.GetValueOrDefault((path, key))?.FindLast(line => line.Translation == message || line.Source == message)?.Source;

    /// <summary>True if this message was translated before, whatever it is now.</summary>
    public bool Knows(string path, string key) => _lines.ContainsKey((path, key));

    /// <summary>Notes the translations of a file's messages, before the file is written.</summary>
    public async Task NoteAsync(string path, IEnumerable<(string Key, string Source, string Translation)> messages, CancellationToken cancellationToken)
    {
        await _writing.WaitAsync(cancellationToken);
        try
        {
            foreach (var (key, source, translation) in messages)
                await AppendAsync(new(path, key, null, source, translation));
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Writes a file whole or not at all, unless it is as it should be or somebody else's.</summary>
    /// <param name="path">Below the root.</param>
    /// <param name="original">A file with this content may be overwritten too: a copy of the untranslated page.</param>
    public async Task<FileChange> WriteAsync(string path, byte[] content, byte[]? original, bool force, CancellationToken cancellationToken)
    {
        var file = Path.Combine(_root, path);
        await _writing.WaitAsync(cancellationToken);
        try
        {
            var current = File.Exists(file) ? await File.ReadAllBytesAsync(file, cancellationToken) : null;
            var isSame = current is not null && current.AsSpan().SequenceEqual(content);
            if (current is not null && !isSame && !force && !IsOwn(path, current) && !(original is not null && current.AsSpan().SequenceEqual(original)))
                return FileChange.Kept;

            if (!IsOwn(path, content))
                await AppendAsync(new(path, null, Hash(content), null, null));
            if (isSame)
                return FileChange.Unchanged;

            await ReplaceAsync(file, content);

            return FileChange.Written;
        }
        finally
        {
            _writing.Release();
        }
    }

    /// <summary>Deletes a file that this command has written. False if somebody has changed it since.</summary>
    public async Task<bool> DeleteAsync(string path, CancellationToken cancellationToken)
    {
        var file = Path.Combine(_root, path);
        if (File.Exists(file) && !IsOwn(path, await File.ReadAllBytesAsync(file, cancellationToken)))
            return false;

        File.Delete(file);
        _lines.Remove((path, null));

        return true;
    }

    /// <summary>Leaves the last line for each file and message.</summary>
    public async Task CompactAsync()
    {
        await CloseAsync();
        var lines = _lines.OrderBy(line => line.Key.Path, StringComparer.Ordinal).ThenBy(line => line.Key.Key, StringComparer.Ordinal)
            .Select(line => JsonSerializer.Serialize(line.Value[^1], Json) + "\n");
        var content = Encoding.UTF8.GetBytes(string.Concat(lines));
        var file = Path.Combine(_root, Name);
        if (content.Length > 0 || File.Exists(file))
            await ReplaceAsync(file, content);
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        _writing.Dispose();
    }

    /// <summary>Replaces a file whole or not at all. Not cancelled: it takes no time, and a temporary file would be left behind.</summary>
    public static async Task ReplaceAsync(string file, byte[] content)
    {
        var folder = Path.GetDirectoryName(file)!;
        Directory.CreateDirectory(folder);
        // Hidden, and not a page: Docusaurus does not read it if it is left behind.
        var unfinished = Path.Combine(folder, $".{Path.GetFileName(file)}.tmp");
        await using (var stream = new FileStream(unfinished, FileMode.Create, FileAccess.Write, FileShare.None))
        {
            await stream.WriteAsync(content);
            stream.Flush(flushToDisk: true);
        }

        File.Move(unfinished, file, overwrite: true);
    }

    private bool IsOwn(string path, byte[] content)
    {
        var hash = Hash(content);

        return _lines.GetValueOrDefault((path, null))?.Exists(line => line.Sha256 == hash) == true;
    }

    private static string Hash(byte[] content) => Convert.ToHexStringLower(SHA256.HashData(content));

    private async Task AppendAsync(Line line)
    {
        if (_journal is null)
        {
            Directory.CreateDirectory(_root);
            _journal = new(Path.Combine(_root, Name), append: true);
            // A line that a killed process has begun must not become part of the next one.
            await _journal.WriteAsync('\n');
        }

        await _journal.WriteAsync(JsonSerializer.Serialize(line, Json) + "\n");
        await _journal.FlushAsync();
        Add(line);
    }

    private async Task CloseAsync()
    {
        if (_journal is { } journal)
            await journal.DisposeAsync();
        _journal = null;
    }

    private void Add(Line line)
    {
        if (!_lines.TryGetValue((line.Path, line.Key), out var lines))
            _lines[(line.Path, line.Key)] = lines = [];
        lines.Add(line);
    }

    private static Line? Parse(string line)
    {
        try
        {
            return line.Length == 0 ? null : JsonSerializer.Deserialize<Line>(line, Json) is { Path: not null } parsed ? parsed : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <param name="Key">The id of a message in the file; null for the file as a whole.</param>
    private sealed record Line(string Path, string? Key, string? Sha256, string? Source, string? Translation);
}
