using System.Text.Json;
using ChatBackend.Infrastructure.Http.OpenApi;

namespace ChatBackend.Tests.Infrastructure.Http.OpenApi;

/// <summary>Walks every route of a description and says what it lacks.</summary>
internal static class OpenApiWalk
{
    /// <summary>Routes whose errors have the shape of another protocol.</summary>
    private static readonly string[] OtherProtocols = ["/api/chat", "/v1/", "/mcp", "/chatkit"];

    public static IEnumerable<(string Method, string Path, JsonElement Operation)> Operations(JsonElement document) =>
        from path in document.GetProperty("paths").EnumerateObject()
        from operation in path.Value.EnumerateObject()
        select (operation.Name.ToUpperInvariant(), path.Name, operation.Value);

    /// <summary>A line for each thing that a route lacks.</summary>
    public static IReadOnlyList<string> Faults(JsonElement document)
    {
        var schemas = document.GetProperty("components").GetProperty("schemas");
        var faults = schemas.EnumerateObject().SelectMany(s => Untyped(s.Value, s.Name)).ToList();
        faults.AddRange(schemas.EnumerateObject().Where(s => s.Value.TryGetProperty("examples", out _))
            .SelectMany(s => Misfits(s.Value.GetProperty("examples")[0], s.Value, schemas, $"{s.Name} example")));
        foreach (var (method, path, operation) in Operations(document))
        {
            faults.AddRange(FaultsOf(method, path, operation, schemas).Select(f => $"{method} {path}: {f}"));
        }

        return faults;
    }

    private static IEnumerable<string> FaultsOf(string method, string path, JsonElement operation, JsonElement schemas)
    {
        foreach (var name in (string[])["summary", "operationId"])
        {
            if (!HasText(operation, name))
                yield return $"no {name}";
        }

        if (!operation.TryGetProperty("tags", out var tags) || tags.GetArrayLength() != 1)
            yield return "not one tag";
        var parameters = operation.TryGetProperty("parameters", out var list) ? list.EnumerateArray().ToArray() : [];
        if (path.Contains('{') && !parameters.Any(p => p.GetProperty("in").ValueEquals("path")))
            yield return "no parameter for its id";
        foreach (var fault in parameters.SelectMany(ParameterFaults))
            yield return fault;

        var hasBody = operation.TryGetProperty("requestBody", out var body);
        if (!hasBody && method is "PUT" or "PATCH")
            yield return "no request body";
        foreach (var fault in hasBody ? ContentFaults(body, "request body", schemas) : [])
            yield return fault;

        var responses = operation.TryGetProperty("responses", out var all) ? all.EnumerateObject().ToDictionary(r => r.Name, r => r.Value) : [];
        if (!responses.Keys.Any(s => s[0] == '2'))
            yield return "no success";
        string[] expected = [.. hasBody ? ["400", "413", "415"] : Array.Empty<string>(), .. path.Contains('{') ? ["404"] : Array.Empty<string>(), .. path.StartsWith("/health", StringComparison.Ordinal) ? [] : (string[])["500", "503"]];
        foreach (var status in expected.Except(responses.Keys))
            yield return $"no {status}";
        foreach (var fault in responses.SelectMany(r => ResponseFaults(path, r.Key, r.Value, schemas)))
            yield return fault;
    }

    private static IEnumerable<string> ParameterFaults(JsonElement parameter)
    {
        var name = parameter.GetProperty("name").GetString()!;
        var schema = parameter.GetProperty("schema");
        if (!HasText(parameter, "description"))
            yield return $"parameter {name} without description";
        foreach (var fault in Untyped(schema, $"parameter {name}"))
            yield return fault;
        // Otherwise the page's own test request sends it empty.
        if (parameter.GetProperty("in").ValueEquals("query") && parameter.TryGetProperty("required", out _) && !parameter.TryGetProperty("example", out _))
            yield return $"parameter {name} without example";
        if (parameter.GetProperty("in").ValueEquals("query") && name.Any(char.IsAsciiLetterUpper))
            yield return $"parameter {name} is not snake_case";
        if (schema.TryGetProperty("type", out var type) && type.ValueEquals("integer") && !schema.TryGetProperty("minimum", out _))
            yield return $"parameter {name} without bounds";
    }

    private static IEnumerable<string> ResponseFaults(string path, string status, JsonElement response, JsonElement schemas)
    {
        if (!HasText(response, "description"))
            yield return $"{status} without description";
        if (status is "204" || status[0] == '3')
            yield break;
        foreach (var fault in ContentFaults(response, status, schemas))
            yield return fault;
        if (path is "/health/ready" || status[0] is not ('4' or '5') || !response.TryGetProperty("content", out var content))
            yield break;
        if (!OtherProtocols.Any(p => path.StartsWith(p, StringComparison.Ordinal)) && !content.TryGetProperty("application/problem+json", out _))
            yield return $"{status} is no problem";
        if (status is "429" or "503" && !(response.TryGetProperty("headers", out var headers) && headers.TryGetProperty("Retry-After", out _)))
            yield return $"{status} without Retry-After";
    }

    private static IEnumerable<string> ContentFaults(JsonElement holder, string what, JsonElement schemas)
    {
        var contents = holder.TryGetProperty("content", out var content) ? content.EnumerateObject().ToArray() : [];
        if (contents.Length == 0)
            yield return $"{what} without content";
        foreach (var media in contents)
        {
            var place = $"{what} {media.Name}";
            if (!media.Value.TryGetProperty("example", out var example))
                yield return $"{place} without example";
            if (!media.Value.TryGetProperty("schema", out var schema))
            {
                yield return $"{place} without schema";
                continue;
            }

            foreach (var fault in Untyped(schema, place))
                yield return fault;
            foreach (var fault in example.ValueKind is JsonValueKind.Undefined ? [] : Misfits(example, schema, schemas, $"{place} example"))
                yield return fault;
        }
    }

    /// <summary>The schemas below this one that say nothing.</summary>
    private static IEnumerable<string> Untyped(JsonElement schema, string place)
    {
        if (!((string[])["type", "$ref", "oneOf", "anyOf", "allOf"]).Any(k => schema.TryGetProperty(k, out _)))
            yield return $"{place} without type";
        var members = schema.TryGetProperty("properties", out var properties) ? properties.EnumerateObject().Select(p => (p.Name, p.Value)) : [];
        var items = schema.TryGetProperty("items", out var item) ? [("[]", item)] : Array.Empty<(string, JsonElement)>();
        foreach (var fault in members.Concat(items).SelectMany(m => Untyped(m.Item2, $"{place}.{m.Item1}")))
            yield return fault;
    }

    /// <summary>The places where an example does not match its schema: types, required members, values.</summary>
    private static IEnumerable<string> Misfits(JsonElement value, JsonElement schema, JsonElement schemas, string place)
    {
        if (schema.TryGetProperty("$ref", out var reference))
            return Misfits(value, schemas.GetProperty(reference.GetString()!.Split('/')[^1]), schemas, place);
        if (schema.TryGetProperty("oneOf", out var choices))
            return choices.EnumerateArray().Any(c => !Misfits(value, c, schemas, place).Any()) ? [] : [$"{place} fits none of its choices"];
        if (schema.TryGetProperty("type", out var type) && !(type.ValueKind is JsonValueKind.Array ? type.EnumerateArray().ToArray() : [type]).Any(t => IsOf(value, t.GetString()!)))
            return [$"{place} is no {type}"];
        if (schema.TryGetProperty("enum", out var values) && !values.EnumerateArray().Any(v => JsonElement.DeepEquals(v, value)))
            return [$"{place} is none of {values}"];

        if (value.ValueKind is JsonValueKind.String && value.ValueEquals(OpenApiExamples.Missing))
            return [$"{place} is made up: the member has no <example>"];

        var missing = value.ValueKind is JsonValueKind.Object && schema.TryGetProperty("required", out var required)
            ? required.EnumerateArray().Where(r => !value.TryGetProperty(r.GetString()!, out _)).Select(r => $"{place} lacks {r}")
            : [];
        var members = value.ValueKind is JsonValueKind.Object && schema.TryGetProperty("properties", out var properties)
            ? value.EnumerateObject().Where(m => properties.TryGetProperty(m.Name, out _)).SelectMany(m => Misfits(m.Value, properties.GetProperty(m.Name), schemas, $"{place}.{m.Name}"))
            : [];
        var items = value.ValueKind is JsonValueKind.Array && schema.TryGetProperty("items", out var item)
            ? value.EnumerateArray().SelectMany(v => Misfits(v, item, schemas, $"{place}[]"))
            : [];
        return [.. missing, .. members, .. items];
    }

    private static bool IsOf(JsonElement value, string type) => type switch
    {
        "null" => value.ValueKind is JsonValueKind.Null,
        "object" => value.ValueKind is JsonValueKind.Object,
        "array" => value.ValueKind is JsonValueKind.Array,
        "string" => value.ValueKind is JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "integer" => value.ValueKind is JsonValueKind.Number && value.TryGetInt64(out _),
        "number" => value.ValueKind is JsonValueKind.Number,
        _ => false,
    };

    private static bool HasText(JsonElement json, string name) => json.TryGetProperty(name, out var value) && value.GetString() is { Length: > 0 };
}
