using System.Text;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Limits;
using ChatBackend.Infrastructure.Search;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>The book's pages as resources: listed in the order of the sidebar, read as Markdown.</summary>
internal sealed class BookPages(IPassageIndex index, [FromKeyedServices(RateLimit.Search)] RateLimit limit)
{
    private const string Scheme = "book:///";
    private const int PageSize = 100;

    /// <summary>A longer page is cut, and says so.</summary>
    private const int MostPassages = 200;

    /// <summary>The page's resource, whether or not the site's address is known.</summary>
    public static string UriOf(string path) => Scheme + PageUrl.Encode(path);

    /// <param name="cursor">How many pages come before this one; null for the first.</param>
    public async Task<ListResourcesResult> ListAsync(string? cursor, HttpContext context, CancellationToken cancellationToken)
    {
        var start = 0;
        if (cursor is not null && !(int.TryParse(cursor, out start) && start > 0))
            throw new McpProtocolException("cursor must be a nextCursor of this list.", McpErrorCode.InvalidParams);
        Take(context);

        var pages = Sidebar.Of([.. await index.GetOutlineAsync(cancellationToken)]).SelectMany(item => item.Pages).ToArray();
        return new()
        {
            Resources = [.. pages.Skip(start).Take(PageSize).Select(page => new Resource
            {
                Uri = UriOf(page.Path),
                Name = page.Path,
                Title = page.Title,
                Description = page.Outline.Description ?? page.Outline.Opening,
                MimeType = "text/markdown",
            })],
            NextCursor = pages.Length > start + PageSize ? $"{start + PageSize}" : null,
        };
    }

    public async Task<ReadResourceResult> ReadAsync(string uri, HttpContext context, CancellationToken cancellationToken)
    {
        Take(context);
        var path = uri.StartsWith(Scheme, StringComparison.Ordinal) ? Uri.UnescapeDataString(uri[Scheme.Length..]) : null;
        var passages = path is null || path.Contains('\0') ? [] : await index.GetFirstAsync([path], MostPassages + 1, cancellationToken);
        if (passages.Count == 0)
            throw new McpProtocolException("There is no such page.", McpHeaders.HasStatuses(context.Request) ? McpErrorCode.InvalidParams : McpErrorCode.ResourceNotFound);

        return new() { Contents = [new TextResourceContents { Uri = uri, MimeType = "text/markdown", Text = Compose(passages) }] };
    }

    /// <summary>The page's text under its headings. What the index leaves out (imports, JSX) is not there.</summary>
    private static string Compose(IReadOnlyList<Passage> passages)
    {
        var text = new StringBuilder();
        string[] above = [];
        foreach (var passage in passages.Take(MostPassages))
        {
            var shared = above.Zip(passage.HeadingPath).TakeWhile(pair => pair.First == pair.Second).Count();
            for (var level = shared; level < passage.HeadingPath.Length; level++)
                text.Append('#', Math.Min(level + 1, 6)).Append(' ').Append(passage.HeadingPath[level]).Append("\n\n");
            text.Append(passage.Text).Append("\n\n");
            above = passage.HeadingPath;
        }

        if (passages.Count > MostPassages)
            text.Append("(The page goes on").Append(RetrievedPassage.From(passages[^1]).Link is { } link ? $": {link}" : "").Append(")\n");
        return text.ToString();
    }

    private void Take(HttpContext context)
    {
        if (limit.Take(context) is { ProblemDetails: var refusal })
            throw new McpProtocolException($"{refusal.Detail} (rate_limited)", McpErrorCode.InternalError);
    }
}
