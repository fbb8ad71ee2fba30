using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using YamlDotNet.RepresentationModel;

namespace ChatBackend.Tests;

/// <summary>
/// Checks request bodies against the OpenAPI description of the service that gets them: types, required members, enums, unknown
/// members. The descriptions are not in this repository. To run these checks, put them into the folder that <c>CHATBACKEND_SHARED</c>
/// names, by default <c>shared</c> beside the repository.
/// </summary>
internal sealed class ApiDescription
{
    private static readonly Lazy<ApiDescription?> ReadOpenAi = new(() => Path("openai-openapi.yaml") is { } path ? FromYaml(path) : null);
    private static readonly Lazy<ApiDescription?> ReadQdrant = new(() => Path("qdrant-openapi.json") is { } path ? FromJson(path) : null);

    private readonly Func<string, string> _textOf;
    private readonly bool _isClosed;
    private readonly ConcurrentDictionary<string, YamlMappingNode> _schemas = [];

    /// <param name="textOf">The text of a schema, in YAML or JSON (which is YAML).</param>
    /// <param name="isClosed">Whether unknown members are errors at every depth; with schemas composed by allOf that cannot be decided.</param>
    private ApiDescription(Func<string, string> textOf, bool isClosed) => (_textOf, _isClosed) = (textOf, isClosed);

    /// <summary>OpenAI's description, or null if it is absent.</summary>
    public static ApiDescription? OpenAi => ReadOpenAi.Value;

    /// <summary>Qdrant's description, or null if it is absent.</summary>
    public static ApiDescription? Qdrant => ReadQdrant.Value;

    /// <summary>The differences between a body and a schema; empty if the body is valid.</summary>
    public IReadOnlyList<string> Problems(string schema, JsonElement body)
    {
        var problems = new List<string>();
        Check(Schema(schema), body, "$", problems);
        if (body.ValueKind == JsonValueKind.Object)
            problems.AddRange(body.EnumerateObject().Select(m => m.Name).Except(Members(Schema(schema))).Select(name => $"$.{name} is unknown"));
        return problems;
    }

    private static string? Path(string file)
    {
        var folder = Environment.GetEnvironmentVariable("CHATBACKEND_SHARED") is { Length: > 0 } set ? set : System.IO.Path.Combine(Repository.Root, "..", "shared");
        return System.IO.Path.Combine(folder, file) is var path && File.Exists(path) ? path : null;
    }

    /// <summary>Parses only the schemas that are needed: the file has three megabytes.</summary>
    private static ApiDescription FromYaml(string path)
    {
        var lines = File.ReadAllLines(path);
        // A schema's name is indented by four spaces, its content by more.
        return new(
            name => string.Join('\n', lines.Skip(Array.IndexOf(lines, $"    {name}:") + 1).TakeWhile(line => line.Length == 0 || line.StartsWith("      ", StringComparison.Ordinal))),
            isClosed: false);
    }

    private static ApiDescription FromJson(string path)
    {
        var schemas = JsonDocument.Parse(File.ReadAllText(path)).RootElement.GetProperty("components").GetProperty("schemas");
        return new(name => schemas.GetProperty(name).GetRawText(), isClosed: true);
    }

    private static YamlMappingNode Map(YamlNode node) => (YamlMappingNode)node;

    private YamlMappingNode Schema(string name) => _schemas.GetOrAdd(name, _ =>
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(_textOf(name)));
        return Map(yaml.Documents[0].RootNode);
    });

    private YamlMappingNode Resolve(YamlMappingNode schema) =>
        schema.Children.TryGetValue("$ref", out var reference) ? Resolve(Schema(((YamlScalarNode)reference).Value!.Split('/')[^1])) : schema;

    private IEnumerable<string> Members(YamlMappingNode schema)
    {
        schema = Resolve(schema);
        var own = schema.Children.TryGetValue("properties", out var properties) ? Map(properties).Children.Keys.Select(k => ((YamlScalarNode)k).Value!) : [];
        return own.Concat(new[] { "allOf", "anyOf", "oneOf" }.SelectMany(word => Parts(schema, word)).SelectMany(Members));
    }

    private static IEnumerable<YamlMappingNode> Parts(YamlMappingNode schema, string word) =>
        schema.Children.TryGetValue(word, out var parts) ? ((YamlSequenceNode)parts).Select(Map) : [];

    private void Check(YamlMappingNode schema, JsonElement value, string at, List<string> problems)
    {
        schema = Resolve(schema);
        if (value.ValueKind == JsonValueKind.Null && schema.Children.TryGetValue("nullable", out var nullable) && ((YamlScalarNode)nullable).Value == "true")
            return;

        // Qdrant's way to say that a member may be null: { "anyOf": [ …, { "nullable": true } ] }.
        if (schema.Children.Count == 1 && schema.Children.ContainsKey("nullable"))
        {
            problems.Add($"{at} is not null");
            return;
        }

        foreach (var part in Parts(schema, "allOf"))
            Check(part, value, at, problems);
        foreach (var word in new[] { "anyOf", "oneOf" })
        {
            var parts = Parts(schema, word).ToArray();
            if (parts.Length > 0 && !Array.Exists(parts, part => Fits(part, value)))
                problems.Add($"{at} fits none of {word}");
        }

        if (schema.Children.TryGetValue("type", out var type) && !Is(((YamlScalarNode)type).Value!, value))
        {
            problems.Add($"{at} is {value.ValueKind}, not {type}");
            return;
        }

        if (schema.Children.TryGetValue("enum", out var allowed) && !((YamlSequenceNode)allowed).Any(a => ((YamlScalarNode)a).Value == value.ToString()))
            problems.Add($"{at} is not in the enum");
        if (value.ValueKind == JsonValueKind.Object)
        {
            if (schema.Children.TryGetValue("required", out var required))
                problems.AddRange(((YamlSequenceNode)required).Select(r => ((YamlScalarNode)r).Value!).Where(r => !value.TryGetProperty(r, out _)).Select(r => $"{at}.{r} is missing"));
            if (schema.Children.TryGetValue("properties", out var properties))
                foreach (var (name, member) in Map(properties).Children)
                    if (value.TryGetProperty(((YamlScalarNode)name).Value!, out var inner))
                        Check(Map(member), inner, $"{at}.{name}", problems);
            if (schema.Children.TryGetValue("additionalProperties", out var additional) && additional is YamlMappingNode each)
                foreach (var member in value.EnumerateObject())
                    Check(each, member.Value, $"{at}.{member.Name}", problems);
            else if (_isClosed && schema.Children.ContainsKey("properties"))
                problems.AddRange(value.EnumerateObject().Select(m => m.Name).Except(Members(schema)).Select(name => $"{at}.{name} is unknown"));
        }

        if (value.ValueKind == JsonValueKind.Array && schema.Children.TryGetValue("items", out var items))
            foreach (var (item, i) in value.EnumerateArray().Select((item, i) => (item, i)))
                Check(Map(items), item, string.Create(CultureInfo.InvariantCulture, $"{at}[{i}]"), problems);
    }

    private bool Fits(YamlMappingNode schema, JsonElement value)
    {
        var problems = new List<string>();
        Check(schema, value, "$", problems);
        return problems.Count == 0;
    }

    private static bool Is(string type, JsonElement value) => type switch
    {
        "object" => value.ValueKind == JsonValueKind.Object,
        "array" => value.ValueKind == JsonValueKind.Array,
        "string" => value.ValueKind == JsonValueKind.String,
        "boolean" => value.ValueKind is JsonValueKind.True or JsonValueKind.False,
        "integer" => value.ValueKind == JsonValueKind.Number && value.TryGetInt64(out _),
        "number" => value.ValueKind == JsonValueKind.Number,
        "null" => value.ValueKind == JsonValueKind.Null,
        _ => true,
    };
}
