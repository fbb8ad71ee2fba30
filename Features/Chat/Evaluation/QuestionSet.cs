using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Chat.Evaluation;

/// <summary>Questions that are measured together.</summary>
/// <param name="IsAnswerable">False for questions that must be refused.</param>
internal sealed record QuestionSet(string Name, bool IsAnswerable, IReadOnlyList<AskedQuestion> Questions)
{
    /// <summary>At most so many questions, at equal distances.</summary>
    public QuestionSet Spread(int most) =>
        Questions.Count <= most ? this : this with { Questions = [.. Enumerable.Range(0, most).Select(i => Questions[(int)((long)i * Questions.Count / most)])] };
}

/// <param name="Id">Where the question comes from: <c>line 12</c>, or its id.</param>
/// <param name="Places">Each is a right answer; none for a question that must be refused.</param>
internal sealed record AskedQuestion(string Id, string Text, IReadOnlyList<Place> Places);

/// <summary>A page, or one heading of it, that answers a question.</summary>
/// <param name="Text">As it is written in the file.</param>
/// <param name="Page">The page's path in the book (<c>01-intro.md</c>) or its address, absolute or not, without a slash at the end.</param>
/// <param name="Anchor">The heading's anchor; null for any passage of the page.</param>
/// <param name="Relevance">Larger is better; 1 where the file does not tell.</param>
internal sealed record Place(string Text, string Page, string? Anchor, int Relevance = 1)
{
    // A site's address in the file stands for the relative one in the index.
    private readonly string[] _urls = ReaderPage.Urls(Page);

    public static Place Parse(string text)
    {
        var (page, anchor) = Split(text);
        return new(text, page, anchor);
    }

    public bool IsPageOf(string path, string url)
    {
        if (path == Page)
            return true;
        var (page, _) = Split(url);
        return page == Page || _urls.Contains(page) || (page.Contains("://", StringComparison.Ordinal) && ReaderPage.Urls(page).Contains(Page));
    }

    public bool Holds(string path, string url) => IsPageOf(path, url) && (Anchor is null || Anchor == Split(url).Anchor);

    private static (string Page, string? Anchor) Split(string url)
    {
        var mark = url.IndexOf('#');
        return mark < 0 ? (url.TrimEnd('/'), null) : (url[..mark].TrimEnd('/'), Uri.UnescapeDataString(url[(mark + 1)..]));
    }
}
