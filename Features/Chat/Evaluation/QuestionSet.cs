using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Chat.Evaluation;

/// <summary>Questions that are measured together.</summary>
/// <param name="IsAnswerable">False for questions that must be refused.</param>
internal sealed record QuestionSet(string Name, bool IsAnswerable, IReadOnlyList<AskedQuestion> Questions);

/// <param name="Id">Where the question comes from: <c>line 12</c>, or its id.</param>
/// <param name="Places">Each is a right answer; none for a question that must be refused.</param>
internal sealed record AskedQuestion(string Id, string Text, IReadOnlyList<Place> Places);

/// <summary>A page, or one heading of it, that answers a question.</summary>
/// <param name="Page">The page's path in the book (<c>01-intro.md</c>) or its address, absolute or not.</param>
/// <param name="Anchor">The heading's anchor; null for any passage of the page.</param>
/// <param name="Relevance">Larger is better; 1 where the file does not tell.</param>
internal sealed record Place(string Page, string? Anchor, int Relevance = 1)
{
    public override string ToString() => Anchor is null ? Page : $"{Page}#{Anchor}";

    public static Place Parse(string text)
    {
        var mark = text.IndexOf('#');
        return mark < 0 ? new(text.TrimEnd('/'), null) : new(text[..mark].TrimEnd('/'), Decode(text[(mark + 1)..]));
    }

    public bool IsPageOf(Passage passage) =>
        passage.DocumentPath == Page || ReaderPage.Urls(passage.Url).Contains(Page) || ReaderPage.Urls(Page).Contains(PageOf(passage.Url));

    public bool Holds(Passage passage) => IsPageOf(passage) && (Anchor is null || Anchor == AnchorOf(passage.Url));

    private static string PageOf(string url) => url.Split('#')[0].TrimEnd('/');

    private static string? AnchorOf(string url) => url.IndexOf('#') is >= 0 and var mark ? Decode(url[(mark + 1)..]) : null;

    private static string Decode(string anchor) => Uri.UnescapeDataString(anchor);
}
