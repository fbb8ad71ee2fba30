using System.Text.Json;
using ChatBackend.Infrastructure.Http.Json;
using ChatBackend.Infrastructure.Http.OpenApi;
using FluentValidation;
using Microsoft.OpenApi;
using ModelContextProtocol.Protocol;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>A message of a Model Context Protocol client (JSON-RPC 2.0).</summary>
/// <param name="Jsonrpc">Always 2.0.</param>
/// <param name="Method">initialize, tools/call, resources/read…; absent in a response.</param>
/// <example>{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search_book","arguments":{"query":"how do nodes talk"}}}</example>
internal sealed record McpMessage(string Jsonrpc, string? Method = null)
{
    /// <summary>A request's id, text or a whole number; absent in a notification.</summary>
    [JsonTypes(JsonSchemaType.String | JsonSchemaType.Integer)]
    public JsonElement Id { get; init; }

    /// <summary>What the method takes.</summary>
    public JsonElement Params { get; init; }

    public static JsonElement Member(JsonElement json, string name) => json.ValueKind is JsonValueKind.Object && json.TryGetProperty(name, out var value) ? value : default;

    /// <summary>Null if it is no id.</summary>
    public static RequestId? IdOf(JsonElement json) => json.ValueKind switch
    {
        JsonValueKind.String => new(json.GetString()!),
        JsonValueKind.Number when json.TryGetInt64(out var number) => new(number),
        _ => null,
    };
}

internal sealed class McpMessageValidator : AbstractValidator<McpMessage>
{
    public McpMessageValidator()
    {
        RuleFor(m => m.Jsonrpc).Equal("2.0").WithMessage("must be 2.0.");
        RuleFor(m => m.Id).Must(id => McpMessage.IdOf(id) is not null).When(m => m.Id.ValueKind is not JsonValueKind.Undefined).WithMessage("must be text or a whole number.");
        RuleFor(m => m.Params).Custom((parameters, rule) =>
        {
            if ((parameters.ValueKind is JsonValueKind.Object ? JsonText.Fault(parameters) : "must be an object.") is { } fault)
                rule.AddFailure(fault);
        }).When(m => m.Params.ValueKind is not JsonValueKind.Undefined);
    }
}
