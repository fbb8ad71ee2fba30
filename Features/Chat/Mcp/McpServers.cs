using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Search;
using Microsoft.Extensions.Options;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>What the book's server offers. Each request has a server of its own, which knows who asks.</summary>
internal sealed class McpServers(SearchBook search, AskBook ask, BookPages pages, IOptions<SiteOptions> site, ILogger<McpServers> log)
{
    /// <param name="session">The id that the client got when it began; null if it has none.</param>
    public McpServerOptions OptionsFor(HttpContext context, CurrentReader reader, Guid? session) => new()
    {
        ServerInfo = new() { Name = "chatbackend", Title = site.Value.BookTitle ?? "The book", Version = "1.0.0" },
        ServerInstructions = $"Answers come from {site.Value.BookTitle ?? "a book"}. search_book finds its passages, ask_book answers with citations, and resources are its pages.",
        ScopeRequests = false,
        Handlers = new()
        {
            ListToolsHandler = (_, _) => new(new ListToolsResult { Tools = [SearchBook.Tool, AskBook.Tool] }),
            CallToolHandler = async (call, stop) => await CallAsync(call, session, reader, context, stop),
            ListResourcesHandler = async (list, stop) => await pages.ListAsync(list.Params?.Cursor, context, stop),
            ReadResourceHandler = async (read, stop) => await pages.ReadAsync(read.Params.Uri, context, stop),
        },
    };

    /// <summary>The conversation of a question. The id is made of the request's, so that a repeat, or its cancellation, finds the turn on any replica.</summary>
    public static Guid? ConversationOf(Guid? session, RequestId request) =>
        session is { } id ? UuidVersion5.Create(id, $"{request.Id?.GetType().Name} {request}") : null;

    private async Task<CallToolResult> CallAsync(
        RequestContext<CallToolRequestParams> call, Guid? session, CurrentReader reader, HttpContext context, CancellationToken cancellationToken)
    {
        try
        {
            return call.Params.Name switch
            {
                _ when call.Params.Name == SearchBook.Tool.Name => await search.CallAsync(call.Params.Arguments, context, cancellationToken),
                _ when call.Params.Name == AskBook.Tool.Name => await ask.CallAsync(call, ConversationOf(session, call.JsonRpcRequest.Id), reader, context, cancellationToken),
                _ => throw new McpProtocolException("There is no such tool.", McpErrorCode.InvalidParams),
            };
        }
        catch (Exception e) when (e is not (McpException or OperationCanceledException))
        {
            var failure = ExceptionMapping.ToFailure(e);
            log.LogError(e, "A tool call failed with {Code}", failure.Code);
            return ToolResults.Of(failure);
        }
    }
}
