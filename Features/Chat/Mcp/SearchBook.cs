using System.ComponentModel;
using System.ComponentModel.DataAnnotations;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Limits;
using ChatBackend.Infrastructure.Search;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>The tool that searches the book, for a model that reads the passages itself.</summary>
internal static class SearchBook
{
    [McpServerTool(Name = "search_book", Title = "Search the book", ReadOnly = true, OpenWorld = false, UseStructuredContent = true, OutputSchemaType = typeof(Results))]
    [Description("Finds the passages of the book that fit a question best, with their text. Use it to read what the book says. If nothing fits, the list is empty.")]
    public static async Task<CallToolResult> CallAsync(
        [Description("What to look for: a question or its words, in any language."), StringLength(PassageQuery.MaxLength, MinimumLength = 1)] string query,
        RequestContext<CallToolRequestParams> call, IPassageIndex index, [FromKeyedServices(RateLimit.Search)] RateLimit rate, CancellationToken cancellationToken,
        [Description("How many passages at most."), Range(1, PassageQuery.MaxLimit)] int limit = PassageQuery.DefaultLimit)
    {
        if (rate.Take(McpExchange.Of(call).Context) is { ProblemDetails: var refusal })
            return ToolResults.Of(refusal);

        McpExchange.Of(call).BeginStream();
        var found = await index.SearchAsync(new(query.Trim(), limit), cancellationToken);
        Result[] passages = [.. found.Select(p => new Result(p.Title, p.Heading, RetrievedPassage.From(p).Link, BookPages.UriOf(p.DocumentPath), p.Text))];
        var text = found.Count == 0 ? "The book has nothing on it." : string.Join("\n\n", found.Zip(passages, (p, r) => $"## {p.Headings}\n{r.Url ?? r.Resource}\n\n{p.Text}"));
        return ToolResults.Of(text, new Results(passages));
    }

    internal sealed record Results([property: Description("Best first.")] IReadOnlyList<Result> Passages);

    internal sealed record Result(
        [property: Description("The page's title.")] string Title,
        [property: Description("The heading above the passage.")] string Heading,
        [property: Description("The heading's address; null where the book's address is not known.")] string? Url,
        [property: Description("The page, for resources/read.")] string Resource,
        [property: Description("The passage, in Markdown.")] string Text);
}
