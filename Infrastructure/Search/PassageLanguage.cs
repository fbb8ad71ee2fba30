using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search;

/// <summary>A book may have translations. Their documents have paths that begin with <c>i18n/</c> and the language.</summary>
internal static class PassageLanguage
{
    private const string Folder = "i18n/";

    public static string PathOf(string language, string path) => $"{Folder}{language}/{path}";

    /// <summary>The language, and the path in its folder. The language is null for the book's own.</summary>
    public static (string? Language, string Path) Split(string path)
    {
        var end = path.StartsWith(Folder, StringComparison.Ordinal) ? path.IndexOf('/', Folder.Length) : -1;

        return end < 0 ? (null, path) : (path[Folder.Length..end], path[(end + 1)..]);
    }

    /// <summary>Puts passages in the question's language first. If the book does not have that language, its own comes first; if the question does
    /// not tell its language, that of the reader's page.</summary>
    public static IReadOnlyList<Passage> Prefer(IReadOnlyList<Passage> ranked, PassageQuery query) => Prefer(ranked, p => Split(p.DocumentPath).Language, query);

    /// <inheritdoc cref="Prefer(IReadOnlyList{Passage}, PassageQuery)"/>
    /// <param name="languageOf">The language of a translation; null for a passage in the book's own.</param>
    public static IReadOnlyList<T> Prefer<T>(IReadOnlyList<T> ranked, Func<T, string?> languageOf, PassageQuery query)
    {
        var languages = ranked.Select(languageOf).ToHashSet(StringComparer.Ordinal);
        if (languages.Count < 2)
            return ranked;

        var asked = Languages.Of(query.Text);
        var wanted = asked is null
            ? query.PageUrl?.Split('/').FirstOrDefault(languages.Contains)
            : languages.FirstOrDefault(language => language is not null && asked.Split('-')[0] == language.Split('-')[0]);

        return [.. ranked.OrderByDescending(passage => languageOf(passage) == wanted)];
    }
}
