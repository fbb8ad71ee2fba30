using System.Text.Json;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.Extensions.Options;
using ModelContextProtocol;
using ModelContextProtocol.Protocol;
using ModelContextProtocol.Server;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>What the book's server offers.</summary>
internal sealed class BookServer(IServiceProvider services, BookPages pages, IOptions<SiteOptions> site, ILogger<BookServer> log)
{
    private readonly McpServerTool[] _tools =
        [.. ((Delegate[])[SearchBook.CallAsync, AskBook.CallAsync]).Select(tool => McpServerTool.Create(tool, new() { Services = services, SerializerOptions = ToolResults.Json }))];

    public McpServerOptions Options => field ??= new()
    {
        ServerInfo = new() { Name = "chatbackend", Title = site.Value.BookTitle ?? "The book", Version = "1.0.0" },
        ServerInstructions = $"Answers come from {site.Value.BookTitle ?? "a book"}. search_book finds its passages, ask_book answers with citations, and resources are its pages.",
        ScopeRequests = false,
        Handlers = new()
        {
            ListToolsHandler = (_, _) => new(new ListToolsResult { Tools = [.. _tools.Select(t => t.ProtocolTool)] }),
            CallToolHandler = CallAsync,
            ListResourcesHandler = pages.ListAsync,
            ReadResourceHandler = pages.ReadAsync,
            // Nothing that the server offers changes while a client waits for it.
            SubscriptionsListenHandler = (_, _) => throw new McpProtocolException("There is nothing to listen to.", McpErrorCode.MethodNotFound),
        },
    };

    private async ValueTask<CallToolResult> CallAsync(RequestContext<CallToolRequestParams> call, CancellationToken cancellationToken)
    {
        var tool = _tools.FirstOrDefault(t => t.ProtocolTool.Name == call.Params.Name) ?? throw new McpProtocolException("There is no such tool.", McpErrorCode.InvalidParams);
        // An argument that is null is as good as absent.
        var arguments = call.Params.Arguments = (call.Params.Arguments ?? new Dictionary<string, JsonElement>()).Where(a => a.Value.ValueKind is not JsonValueKind.Null).ToDictionary();
        if (FaultOf(arguments, tool.ProtocolTool.InputSchema) is { } fault)
            return ToolResults.Of(Problem.Details(StatusCodes.Status400BadRequest, "invalid_request", fault));
        try
        {
            return await tool.InvokeAsync(call, cancellationToken);
        }
        catch (Exception e) when (e is not (McpException or OperationCanceledException))
        {
            var failure = ExceptionMapping.ToFailure(e);
            log.LogError(e, "A tool call failed with {Code}", failure.Code);
            return ToolResults.Of(failure.ToProblem());
        }
    }

    /// <summary>Which argument the tool's schema does not allow, and why; null if it allows all. The package itself checks no bounds, and does not say which.</summary>
    private static string? FaultOf(IDictionary<string, JsonElement> arguments, JsonElement schema)
    {
        foreach (var property in schema.GetProperty("properties").EnumerateObject())
        {
            if (!arguments.TryGetValue(property.Name, out var value) && property.Value.TryGetProperty("default", out _))
                continue;
            if (property.Value.TryGetProperty("maxLength", out var longest))
            {
                var length = value.ValueKind is JsonValueKind.String ? ValidationFilter.Length(value.GetString()!.Trim()) : 0;
                if (length == 0 || length > longest.GetInt32())
                    return $"{property.Name} must be text of 1 to {longest} characters after trimming.";
            }
            else
            {
                var (least, most) = (property.Value.GetProperty("minimum").GetInt32(), property.Value.GetProperty("maximum").GetInt32());
                if (value.ValueKind is not JsonValueKind.Number || !value.TryGetInt32(out var number) || number < least || number > most)
                    return $"{property.Name} must be a whole number from {least} to {most}.";
            }
        }

        return null;
    }
}
