using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Ai.Offline;
using ChatBackend.Infrastructure.Ai.Safety;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search;
using Microsoft.Extensions.Options;

namespace ChatBackend.Features.Chat.Answering;

/// <summary>Finds what answers a question about the book itself, and lists it in the order of the sidebar. The outline is composed from the index when it
/// is asked for, so it fits whatever was ingested last; nothing of it is in the index that ordinary questions search.</summary>
internal sealed partial class BookOutline(IPassageIndex index, IOptions<AiOptions> ai, IOptions<SiteOptions> site)
{
    /// <summary>A longer book is listed by its top entries only.</summary>
    private const int MostListed = 40;

    private const int FirstPages = 3;

    private const int FewPages = 10;

    /// <summary>The share of a prompt for passages, because the list and the conversation need room too.</summary>
    private const double PassageShare = 0.5;

    private const int MostPassagesOfPage = 60;

    /// <summary>Null if the book has no pages: the question is then searched for.</summary>
    public async Task<Retrieved?> FindAsync(BookQuestion asked, Question question, CancellationToken cancellationToken)
    {
        var documents = await index.GetOutlineAsync(cancellationToken);
        var sidebar = Sidebar.Of(documents);
        if (sidebar.Count == 0)
            return null;

        switch (asked.Kind)
        {
            case BookQuestionKind.Book:
                return await BookAsync(asked, question, sidebar, cancellationToken);
            case BookQuestionKind.First:
                return await FirstAsync(asked, question, sidebar, cancellationToken);
            case BookQuestionKind.Page:
                return PageOf(question.PageUrl, documents) is { } page
                    ? await PageAsync(asked, question, page, asked.Answer.Page, cancellationToken)
                    : Say(question, Sentence(asked, asked.Answer.NoPage));
            default:
                var chapters = Chapters(sidebar);
                return Chapter(asked, sidebar, chapters) is { } chapter
                    ? await ChapterAsync(asked, question, chapter, chapters, cancellationToken)
                    : Say(question, Sentence(asked, asked.Answer.NoChapter, number: asked.Chapter, count: chapters.Length));
        }
    }

    private async Task<Retrieved> BookAsync(BookQuestion asked, Question question, IReadOnlyList<SidebarItem> sidebar, CancellationToken cancellationToken)
    {
        var first = sidebar.SelectMany(item => item.Pages).First();
        var answer = new Answered(Fits(await index.GetFirstAsync([first.Path], 2, cancellationToken)));
        if (answer.Passages is [var opening, ..] && Sentences(opening).Take(4).ToArray() is { Length: > 0 } quoted)
            answer.Text.Append(CultureInfo.InvariantCulture, $"> {string.Join(' ', quoted)} [1]\n\n");
        answer.Text.Append(Sentence(asked, asked.Answer.Book)).Append('\n');

        var isLong = sidebar.Sum(CountOf) > MostListed;
        foreach (var item in sidebar.Take(MostListed))
            List(answer, item, [], isLong);
        return answer.ToRetrieved(question);

        static int CountOf(SidebarItem item) => 1 + item.Items.Sum(CountOf);
    }

    private static void List(Answered answer, SidebarItem item, string[] above, bool isTopOnly)
    {
        // A folder without a page of its own is cited by its first page where that is not listed.
        var page = item.Page ?? (isTopOnly ? item.Pages.First() : null);
        var marker = page is null ? "" : $" [{answer.Add(page, above, isBrief: true)}]";
        answer.Text.Append(CultureInfo.InvariantCulture, $"\n{new string(' ', 2 * above.Length)}- {Described(item.Label, item.Description)}{marker}");
        if (isTopOnly)
            return;
        foreach (var below in item.Items)
            List(answer, below, [.. above, item.Label], isTopOnly);
    }

    private async Task<Retrieved> FirstAsync(BookQuestion asked, Question question, IReadOnlyList<SidebarItem> sidebar, CancellationToken cancellationToken)
    {
        var pages = sidebar.SelectMany(item => item.Pages).Take(FirstPages).ToArray();
        var answer = new Answered([]);
        answer.Text.Append(Sentence(asked, asked.Answer.First)).Append('\n');
        foreach (var (i, page) in pages.Index())
            answer.Text.Append(CultureInfo.InvariantCulture, $"\n{i + 1}. {Described(page.Outline.Label ?? page.Title, page.Outline.Description, page.Outline.Opening)} [{answer.Add(page, [])}]");
        answer.Passages.AddRange(Fits(await index.GetFirstAsync([pages[0].Path], 2, cancellationToken)));
        return answer.ToRetrieved(question);
    }

    private async Task<Retrieved> ChapterAsync(
        BookQuestion asked, Question question, SidebarItem chapter, SidebarItem[] chapters, CancellationToken cancellationToken)
    {
        var pages = chapter.Pages.Take(MostListed).ToArray();
        // The last one may be named so, and then need not be among the chapters.
        var number = asked.Chapter >= 0 ? asked.Chapter : chapters.Length;
        if (pages is [var only])
            return await PageAsync(asked, question, only, asked.Answer.Chapter, cancellationToken, number, chapter.Label);

        var answer = new Answered([]);
        answer.Text.Append(Sentence(asked, asked.Answer.Chapter, number, chapter.Label));
        if (chapter.Description is { } description)
            answer.Text.Append(' ').Append(PlainMarkdown.Of(description));
        answer.Text.Append('\n');
        foreach (var page in pages)
        {
            answer.Text.Append(CultureInfo.InvariantCulture, $"\n- {Described(page.Outline.Label ?? page.Title, page.Outline.Description, page.Outline.Opening)} [{answer.Add(page, [chapter.Label], isBrief: pages.Length > FewPages)}]");
            if (page.Outline.Headings.Count > 0)
                answer.Text.Append(CultureInfo.InvariantCulture, $"\n  - {string.Join(" · ", page.Outline.Headings.Select(PlainMarkdown.Of))}");
        }

        // Of each page the first passage, then of each page the second, and so on.
        var order = pages.Index().ToDictionary(page => page.Item.Path, page => page.Index);
        var most = Math.Max(1, MostPassagesOfPage / pages.Length);
        var passages = await index.GetFirstAsync(order.Keys, most, cancellationToken);
        answer.Passages.AddRange(Fits([.. passages.OrderBy(p => p.Position).ThenBy(p => order[p.DocumentPath])], answer.Passages));
        return answer.ToRetrieved(question);
    }

    /// <summary>The page's own passages from its beginning, and the first sentence of each section.</summary>
    private async Task<Retrieved> PageAsync(
        BookQuestion asked, Question question, OutlinedDocument page, string sentence, CancellationToken cancellationToken, int number = 0, string? label = null)
    {
        var answer = new Answered([]);
        answer.Text.Append(Sentence(asked, sentence, number, label ?? page.Outline.Label ?? page.Title)).Append('\n');
        var whole = answer.Add(page, []);
        if (page.Outline.Description is { } description)
            answer.Text.Append(CultureInfo.InvariantCulture, $"\n- {PlainMarkdown.Of(description)} [{whole}]");

        var passages = Fits(await index.GetFirstAsync([page.Path], MostPassagesOfPage, cancellationToken), answer.Passages);
        foreach (var section in passages.Index().GroupBy(p => p.Item.HeadingPath.ElementAtOrDefault(1)))
        {
            // A section may begin with code, a diagram or a table.
            if (section.Select(p => (p.Index, Sentence: Sentences(p.Item).FirstOrDefault())).FirstOrDefault(p => p.Sentence is not null) is not { Sentence: { } first } found)
                continue;
            answer.Text.Append(CultureInfo.InvariantCulture, $"\n- {(section.Key is { } heading ? $"**{PlainMarkdown.Of(heading)}**: " : "")}{first} [{answer.Passages.Count + found.Index + 1}]");
        }

        answer.Passages.AddRange(passages);
        return answer.ToRetrieved(question);
    }

    /// <summary>The passages from the first one that a prompt has room for. Quoting needs no prompt.</summary>
    private Passage[] Fits(IReadOnlyList<Passage> passages, IReadOnlyCollection<Passage>? besides = null)
    {
        var left = (int)(PassageShare * ai.Value.ContextTokens) - (besides ?? []).Sum(p => TokenEstimate.Of(p.Text));
        return [.. passages.TakeWhile(passage => (left -= TokenEstimate.Of(passage.Text)) >= 0)];
    }

    /// <summary>What readers call chapters: the top entries with a number in their names, else the top folders, else all pages but the opening one.</summary>
    private static SidebarItem[] Chapters(IReadOnlyList<SidebarItem> sidebar)
    {
        while (sidebar is [{ IsFolder: true, Items.Count: > 0 } only])
            sidebar = only.Items;

        return
            sidebar.Where(item => DocusaurusPaths.NumberPrefix(Path.GetFileNameWithoutExtension(item.Name)) > 0).ToArray() is { Length: > 0 } numbered ? numbered
            : sidebar.Where(item => item.IsFolder).ToArray() is { Length: > 0 } folders ? folders
            : [.. sidebar.Where(item => !Opening().IsMatch(item.Name))];
    }

    /// <summary>The entry that is named as the question names it ("Module 2: Simulation"), else the one at that place.</summary>
    private static SidebarItem? Chapter(BookQuestion asked, IReadOnlyList<SidebarItem> sidebar, SidebarItem[] chapters) =>
        All(sidebar).FirstOrDefault(item => $"{SmallTalk.Fold(item.Label)} ".StartsWith($"{asked.Name} ", StringComparison.Ordinal))
        ?? (asked.Chapter < 0 ? chapters.LastOrDefault() : chapters.ElementAtOrDefault(asked.Chapter - 1));

    private static IEnumerable<SidebarItem> All(IEnumerable<SidebarItem> items) => items.SelectMany(item => All(item.Items).Prepend(item));

    private static OutlinedDocument? PageOf(string? url, IReadOnlyCollection<OutlinedDocument> documents)
    {
        var urls = ReaderPage.Urls(url);
        return documents.Where(d => !CategoryFile.Is(d.Path) && urls.Contains(d.Url.TrimEnd('/'), StringComparer.Ordinal)).MaxBy(d => d.Url.Length);
    }

    private static Retrieved Say(Question question, string sentence) => new(question.Message, []) { Written = sentence };

    private string Sentence(BookQuestion asked, string sentence, int number = 0, string title = "", int count = 0)
    {
        var text = sentence
            .Replace("{number}", number.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("{count}", count.ToString(CultureInfo.InvariantCulture), StringComparison.Ordinal)
            .Replace("{title}", $"*{PlainMarkdown.Of(title)}*", StringComparison.Ordinal)
            .Replace("{book}", site.Value.NameBook(asked.TheBook), StringComparison.Ordinal);
        return $"{char.ToUpperInvariant(text[0])}{text[1..]}";
    }

    /// <summary>Without those that introduce a formula, a list or a diagram, which would be missing.</summary>
    private static IEnumerable<string> Sentences(Passage passage) =>
        QuotableMarkdown.Split(passage.Text).Where(quote => quote.TableHead is null && !quote.Text.TrimEnd('*').EndsWith(':')).Select(quote => quote.Text);

    private static string Described(string label, params IEnumerable<string?> texts) =>
        string.Join(": ", new[] { $"**{PlainMarkdown.Of(label)}**", string.Join(' ', texts.OfType<string>().Select(PlainMarkdown.Of)) }.Where(part => part.Length > 0));

    [GeneratedRegex(@"^(?:index|readme|intro|introduction|preface|welcome|start)\.", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Opening();

    /// <summary>The list as it grows, and the passages that its numbers name.</summary>
    private sealed class Answered(IEnumerable<Passage> passages)
    {
        public StringBuilder Text { get; } = new();

        public List<Passage> Passages { get; } = [.. passages];

        /// <summary>Adds a page's outline as a passage; returns its number.</summary>
        /// <param name="isBrief">With the description or the first sentence alone, because a prompt has little room for each of many pages.</param>
        public int Add(OutlinedDocument page, string[] above, bool isBrief = false)
        {
            var outline = page.Outline;
            var text = isBrief ? outline.Description ?? outline.Opening ?? page.Title
                : string.Join("\n\n", new[] { outline.Description ?? page.Title, outline.Opening, PageOutline.Clean(string.Join(" · ", outline.Headings)) }.Where(part => !string.IsNullOrEmpty(part)));
            Passages.Add(new()
            {
                Id = PassageId.Of(page.Path, new(-1, [], null, text)),
                DocumentPath = page.Path,
                Position = -1,
                Title = page.Title,
                HeadingPath = [.. above, page.Outline.Label ?? page.Title],
                Url = page.Url,
                Text = text,
                Score = 1,
                Coverage = 1,
            });
            return Passages.Count;
        }

        public Retrieved ToRetrieved(Question question) => new(question.Message, Passages) { Written = Text.ToString() };
    }
}
