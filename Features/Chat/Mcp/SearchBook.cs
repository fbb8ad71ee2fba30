using System.ComponentModel;
using System.Text.Json;
using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Limits;
using ChatBackend.Infrastructure.Search;
using ModelContextProtocol.Protocol;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>The tool that searches the book, for a model that reads the passages itself.</summary>
internal sealed class SearchBook(IPassageIndex index, [FromKeyedServices(RateLimit.Search)] RateLimit limit)
{
    public static readonly Tool Tool = new()
    {
        Name = "search_book",
        Title = "Search the book",
        Description = "Finds the passages of the book that fit a question best, with their text. Use it to read what the book says. If nothing fits, the list is empty.",
        Annotations = new() { ReadOnlyHint = true, OpenWorldHint = false },
        InputSchema = JsonElement.Parse(
            $$$"""
            {"type": "object", "required": ["query"], "properties": {
              "query": {"type": "string", "minLength": 1, "maxLength": {{{PassageQuery.MaxLength}}}, "description": "What to look for: a question or its words, in any language."},
              "limit": {"type": "integer", "minimum": 1, "maximum": {{{PassageQuery.MaxLimit}}}, "default": {{{PassageQuery.DefaultLimit}}}, "description": "How many passages at most."}
            }}
            """),
        OutputSchema = ToolResults.SchemaOf<Results>(),
    };

    public async Task<CallToolResult> CallAsync(IDictionary<string, JsonElement>? given, HttpContext context, CancellationToken cancellationToken)
    {
        var arguments = new ToolArguments(given);
        var (query, most) = (arguments.Text("query", PassageQuery.MaxLength), arguments.Number("limit", PassageQuery.MaxLimit, PassageQuery.DefaultLimit));
        if (arguments.Fault is { } fault)
            return ToolResults.Invalid(fault);
        if (limit.Take(context) is { ProblemDetails: var refusal })
            return ToolResults.Of(refusal);

        var found = await index.SearchAsync(new(query, most), cancellationToken);
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
