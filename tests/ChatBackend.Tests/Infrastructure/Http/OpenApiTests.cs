using System.Text.Json;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Infrastructure.Http;

public sealed class OpenApiTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    [Fact]
    public async Task Every_route_is_described_and_every_description_has_its_route()
    {
        var document = await DocumentAsync();
        var described = Operations(document).Select(o => $"{o.Method} {o.Path}").Order().ToArray();

        var routes = app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.Metadata.GetMetadata<IExcludeFromDescriptionMetadata>()?.ExcludeFromDescription is not true)
            .SelectMany(e => e.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Select(m => $"{m} {Path(e)}") ?? [])
            .Where(r => !r.Contains("/openapi/", StringComparison.Ordinal))
            .Order().ToArray();

        Assert.Contains("PATCH /audits/{id}", routes);
        Assert.Equal(routes, described);

        static string Path(RouteEndpoint endpoint) =>
            System.Text.RegularExpressions.Regex.Replace("/" + endpoint.RoutePattern.RawText!.Trim('/'), @"\{(\w+)[^}]*\}", "{$1}");
    }

    [Fact]
    public async Task Every_operation_has_summary_tags_bodies_examples_and_errors()
    {
        var document = await DocumentAsync();
        var faults = new List<string>();
        foreach (var (method, path, operation) in Operations(document))
        {
            void Expect(bool holds, string fault)
            {
                if (!holds)
                    faults.Add($"{method} {path}: {fault}");
            }

            Expect(Has(operation, "summary"), "no summary");
            Expect(operation.TryGetProperty("tags", out var tags) && tags.GetArrayLength() == 1, "not one tag");
            Expect(Has(operation, "operationId"), "no operationId");
            Expect(!path.Contains('{') || operation.TryGetProperty("parameters", out _), "no parameters");
            foreach (var parameter in operation.TryGetProperty("parameters", out var parameters) ? parameters.EnumerateArray().ToArray() : [])
                Expect(Has(parameter, "description") && parameter.GetProperty("schema").TryGetProperty("type", out _), $"parameter {parameter.GetProperty("name")} without description or type");
            if (operation.TryGetProperty("requestBody", out var body))
                ExpectContent(body, "request body");
            Expect(method is not ("PUT" or "PATCH") || operation.TryGetProperty("requestBody", out _), "no request body");

            var responses = operation.GetProperty("responses").EnumerateObject().ToArray();
            Expect(responses.Any(r => r.Name[0] == '2'), "no success");
            foreach (var response in responses)
            {
                Expect(Has(response.Value, "description"), $"{response.Name} without description");
                if (response.Name != "204" && response.Name[0] != '3')
                    ExpectContent(response.Value, response.Name);
            }

            if (path is "/health")
                continue;
            Expect(responses.Any(r => r.Name[0] == '5'), "no server error");
            Expect(!path.Contains('{') || responses.Any(r => r.Name == "404"), "an id, but no 404");
            Expect(!operation.TryGetProperty("requestBody", out _) || responses.Any(r => r.Name == "400"), "a body, but no 400");

            void ExpectContent(JsonElement holder, string what)
            {
                var contents = holder.TryGetProperty("content", out var content) ? content.EnumerateObject().ToArray() : [];
                Expect(contents.Length > 0, $"{what} without content");
                foreach (var media in contents)
                {
                    Expect(media.Value.TryGetProperty("schema", out var schema) && schema.EnumerateObject().Any(), $"{what} {media.Name} without schema");
                    Expect(media.Value.TryGetProperty("example", out _) || media.Value.TryGetProperty("examples", out _), $"{what} {media.Name} without example");
                    if (what[0] is '4' or '5' && path is not "/health/ready")
                        Expect(media.Name is "application/problem+json", $"{what} is {media.Name}, no problem");
                }
            }
        }

        Assert.Empty(faults);
    }

    [Fact]
    public async Task Names_are_snake_case_bounds_are_there_and_nothing_is_undefined()
    {
        var document = await DocumentAsync();
        var schemas = document.GetProperty("components").GetProperty("schemas");

        Assert.StartsWith("3.1", document.GetProperty("openapi").GetString());
        Assert.All(
            schemas.EnumerateObject().SelectMany(s => s.Value.TryGetProperty("properties", out var properties) ? properties.EnumerateObject().ToArray() : []),
            p => Assert.Matches("^[a-z][a-z0-9_]*$", p.Name));
        Assert.All(
            System.Text.RegularExpressions.Regex.Matches(document.GetRawText(), "#/components/schemas/([A-Za-z0-9_]+)").Select(m => m.Groups[1].Value),
            name => Assert.True(schemas.TryGetProperty(name, out _), name));

        var parameters = document.GetProperty("paths").GetProperty("/audits").GetProperty("get").GetProperty("parameters").EnumerateArray()
            .ToDictionary(p => p.GetProperty("name").GetString()!, p => p.GetProperty("schema"));
        Assert.Equal((1, 50, 20), (parameters["page_size"].GetProperty("minimum").GetInt32(), parameters["page_size"].GetProperty("maximum").GetInt32(), parameters["page_size"].GetProperty("default").GetInt32()));
        Assert.Equal(["pending", "in_progress", "completed", "failed"], parameters["status"].GetProperty("enum").EnumerateArray().Select(v => v.GetString()));
        var problem = schemas.GetProperty("ProblemDetails").GetProperty("properties");
        Assert.All((string[])["code", "trace_id", "errors"], name => Assert.True(problem.TryGetProperty(name, out _)));
        Assert.Equal("/", document.GetProperty("servers")[0].GetProperty("url").GetString());
    }

    private static bool Has(JsonElement json, string name) => json.TryGetProperty(name, out var value) && value.GetString() is { Length: > 0 };

    private static IEnumerable<(string Method, string Path, JsonElement Operation)> Operations(JsonElement document) =>
        from path in document.GetProperty("paths").EnumerateObject()
        from operation in path.Value.EnumerateObject()
        select (operation.Name.ToUpperInvariant(), path.Name, operation.Value);

    private async Task<JsonElement> DocumentAsync() => await (await app.Client.GetAsync("/openapi/v1.json")).JsonAsync();
}
