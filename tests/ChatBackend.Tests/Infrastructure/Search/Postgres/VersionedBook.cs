using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Tests.Infrastructure.Search.Postgres;

/// <summary>A book whose every passage carries the version in which its page was written.</summary>
internal sealed class VersionedBook : IDisposable
{
    public const int Pages = 5;

    private const int Sections = 4;

    /// <summary>Every passage has this word.</summary>
    public const string Word = "addax";

    /// <summary>As many passages as there are.</summary>
    public const int Passages = Pages * Sections;

    public string Folder { get; } = Directory.CreateTempSubdirectory("book").FullName;

    public async Task WriteAsync(int version)
    {
        for (var page = 0; page < Pages; page++)
            await File.WriteAllTextAsync(
                Path.Combine(Folder, $"{page}.md"),
                $"# Page {page}\n\n" + string.Concat(Texts(page, version).Select((text, section) => $"## Section {section}\n\n{text}\n\n")));
    }

    /// <summary>One page, without an ingest.</summary>
    public static IndexedDocument Page(int page, int version) => new(
        $"{page}.md", $"Page {page}", $"/docs/{page}", $"{version}", [.. Texts(page, version).Select((text, section) => new Chunk(section, [$"Section {section}"], null, text))]);

    /// <summary>The version of each page. Fails if a page is not there, or has passages of two versions or not all of them.</summary>
    public static int[] VersionsOf(IEnumerable<string> texts)
    {
        var pages = texts.Select(t => t.Split(' ')).GroupBy(words => words[1], words => int.Parse(words[2])).OrderBy(page => page.Key, StringComparer.Ordinal).ToArray();
        Assert.Equal(Pages, pages.Length);
        return
        [
            .. pages.Select(page =>
            {
                Assert.Equal(Sections, page.Count());
                return Assert.Single(page.Distinct());
            }),
        ];
    }

    public void Dispose() => Directory.Delete(Folder, recursive: true);

    /// <summary>With words of their own, so that none is a near-duplicate of another.</summary>
    private static IEnumerable<string> Texts(int page, int version) => Enumerable.Range(0, Sections).Select(
        section => $"{Word} page{page} {version} {string.Join(' ', Enumerable.Range(0, 80).Select(w => $"w{version}p{page}s{section}n{w}"))}");
}
