using System.Text.Json;
using ChatBackend.Infrastructure.Http;

namespace ChatBackend.Features.Chat.Mcp;

/// <summary>The arguments of a tool call, checked. The first fault is kept.</summary>
internal sealed class ToolArguments(IDictionary<string, JsonElement>? arguments)
{
    /// <summary>Which argument is not valid, and why; null if all that were read are.</summary>
    public string? Fault { get; private set; }

    /// <summary>Text of 1 to <paramref name="most"/> characters after trimming.</summary>
    public string Text(string name, int most)
    {
        if (Find(name) is not { ValueKind: JsonValueKind.String } value)
            return Refuse($"{name} must be text.");
        var text = value.GetString()!.Trim();
        return ValidationFilter.Length(text) is var length && (length == 0 || length > most) ? Refuse($"{name} must hold 1 to {most} characters after trimming.") : text;
    }

    /// <summary>A whole number from 1 to <paramref name="most"/>.</summary>
    public int Number(string name, int most, int otherwise)
    {
        if (Find(name) is not { } value)
            return otherwise;
        if (value.ValueKind is JsonValueKind.Number && value.TryGetInt32(out var number) && number >= 1 && number <= most)
            return number;
        Refuse($"{name} must be a whole number from 1 to {most}.");
        return otherwise;
    }

    private JsonElement? Find(string name) =>
        arguments is not null && arguments.TryGetValue(name, out var value) && value.ValueKind is not JsonValueKind.Null ? value : null;

    private string Refuse(string fault)
    {
        Fault ??= fault;
        return "";
    }
}
