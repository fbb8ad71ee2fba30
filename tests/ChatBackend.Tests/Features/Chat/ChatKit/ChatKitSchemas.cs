using System.Text.Json;
using System.Text.Json.Nodes;
using ChatBackend.Tests.Infrastructure.Docusaurus;

namespace ChatBackend.Tests.Features.Chat.ChatKit;

/// <summary>
/// The JSON Schemas of ChatKit's own server, which are no part of the repository: they are looked for in <c>chatkit</c> of the folder that
/// <c>CHATBACKEND_SHARED</c> names, by default <c>shared</c> beside the repository.
/// </summary>
internal static class ChatKitSchemas
{
    private const string Script = """
        import { readFileSync } from 'node:fs';
        import { Ajv2020 } from 'ajv/dist/2020.js';
        import formats from 'ajv-formats';

        const ajv = formats.default(new Ajv2020({ strict: false, allErrors: true }));
        const { schemas, documents } = JSON.parse(readFileSync(process.argv[2], 'utf8'));
        const validators = Object.fromEntries(Object.entries(schemas).map(([name, schema]) => [name, ajv.compile(schema)]));
        for (const { schema, json } of documents) {
          if (!validators[schema](json))
            console.log(`${schema}: ${JSON.stringify(json)}\n  ${ajv.errorsText(validators[schema].errors)}`);
        }
        """;

    /// <summary>Fails with all that does not fit. Skips the test without the schemas, Node or npm.</summary>
    public static async Task ValidateAsync(IReadOnlyCollection<(string Schema, JsonElement Json)> documents)
    {
        Assert.NotEmpty(documents);
        var shared = Environment.GetEnvironmentVariable("CHATBACKEND_SHARED") is { Length: > 0 } set ? set : Path.Combine(Repository.Root, "..", "shared");
        var folder = Path.Combine(shared, "chatkit");
        Assert.SkipUnless(Directory.Exists(folder), $"ChatKit's schemas are not in {folder}.");
        var schemas = documents.Select(d => d.Schema).Distinct().ToDictionary(name => name, name => JsonNode.Parse(File.ReadAllText(Path.Combine(folder, $"{name}.schema.json"))));
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, JsonSerializer.Serialize(new { schemas, documents = documents.Select(d => new { schema = d.Schema, json = d.Json }) }));
            var faults = string.Join('\n', await NpmPackages.RunAsync(["ajv@8.20.0", "ajv-formats@3.0.1"], Script, [file]));
            Assert.True(faults.Length == 0, faults);
        }
        finally
        {
            File.Delete(file);
        }
    }
}
