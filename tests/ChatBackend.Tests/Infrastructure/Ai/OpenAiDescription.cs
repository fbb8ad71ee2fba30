using System.Globalization;
using System.Text.Json;
using YamlDotNet.RepresentationModel;

namespace ChatBackend.Tests.Infrastructure.Ai;

/// <summary>
/// OpenAI's own OpenAPI description, for checking what we send: types, required members, enums, and that no member is
/// unknown. It is not part of the repository; whoever has it puts its folder beside the repository as <c>shared</c>.
/// </summary>
internal sealed class OpenAiDescription
{
    private static readonly Lazy<OpenAiDescription?> Read = new(() => Path() is { } path ? new(path) : null);

    private readonly string[] _lines;
    private readonly Dictionary<string, YamlMappingNode> _schemas = [];

    private OpenAiDescription(string path) => _lines = File.ReadAllLines(path);

    /// <summary>The description, or null where it is absent. Read once, and only the schemas that are needed are parsed: it has three megabytes.</summary>
    public static OpenAiDescription? Find() => Read.Value;

    /// <summary>What is wrong with a body by a schema; empty when nothing is.</summary>
    public IReadOnlyList<string> Problems(string schema, JsonElement body)
    {
        var problems = new List<string>();
        Check(Schema(schema), body, "$", problems);
        if (body.ValueKind == JsonValueKind.Object)
            problems.AddRange(body.EnumerateObject().Select(m => m.Name).Except(Members(Schema(schema))).Select(name => $"$.{name} is unknown"));
        return problems;
    }

    private static string? Path()
    {
        if (Environment.GetEnvironmentVariable("CHATBACKEND_SHARED") is { Length: > 0 } folder)
            return Existing(folder);
        var root = new DirectoryInfo(AppContext.BaseDirectory);
        while (root is not null && !File.Exists(System.IO.Path.Combine(root.FullName, "ChatBackend.slnx")))
            root = root.Parent;
        return root is null ? null : Existing(System.IO.Path.Combine(root.FullName, "..", "shared"));

        static string? Existing(string folder) =>
            System.IO.Path.Combine(folder, "openai-openapi.yaml") is var path && File.Exists(path) ? path : null;
    }

    private static YamlMappingNode Map(YamlNode node) => (YamlMappingNode)node;

    private YamlMappingNode Schema(string name)
    {
        if (_schemas.TryGetValue(name, out var known))
            return known;

        // A schema is what is indented deeper than its name, which alone has this indentation.
        var start = Array.IndexOf(_lines, $"    {name}:");
        var text = string.Join('\n', _lines.Skip(start + 1).TakeWhile(line => line.Length == 0 || line.StartsWith("      ", StringComparison.Ordinal)));
        var yaml = new YamlStream();
        yaml.Load(new StringReader(text));
        return _schemas[name] = Map(yaml.Documents[0].RootNode);
    }

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
