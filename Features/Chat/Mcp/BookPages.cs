using System.Text;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Limits;
using ChatBackend.Infrastructure.Search;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

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

    public async ValueTask<ListResourcesResult> ListAsync(RequestContext<ListResourcesRequestParams> request, CancellationToken cancellationToken)
    {
        // A cursor is how many pages come before it.
        var start = 0;
        if (request.Params?.Cursor is { } cursor && !(int.TryParse(cursor, out start) && start > 0))
            throw new McpProtocolException("cursor must be a nextCursor of this list.", McpErrorCode.InvalidParams);
        Take(request);

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

    public async ValueTask<ReadResourceResult> ReadAsync(RequestContext<ReadResourceRequestParams> request, CancellationToken cancellationToken)
    {
        Take(request);
        var uri = request.Params.Uri;
        var path = uri.StartsWith(Scheme, StringComparison.Ordinal) ? Uri.UnescapeDataString(uri[Scheme.Length..]) : null;
        var passages = path is null || path.Contains('\0') ? [] : await index.GetFirstAsync([path], MostPassages + 1, cancellationToken);
        if (passages.Count == 0)
            throw new McpProtocolException("There is no such page.", McpHeaders.StandsAlone(McpExchange.Of(request).Context.Request) ? McpErrorCode.InvalidParams : McpErrorCode.ResourceNotFound);

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

    private void Take(MessageContext request)
    {
        if (limit.Take(McpExchange.Of(request).Context) is { ProblemDetails: var refusal })
            throw new McpProtocolException($"{refusal.Detail} (rate_limited)", McpErrorCode.InternalError);
    }
}
