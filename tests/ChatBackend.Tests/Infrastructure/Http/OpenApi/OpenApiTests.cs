using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using ChatBackend.Tests.Features.Audits;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Infrastructure.Http.OpenApi;

public sealed class OpenApiTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    [Fact]
    public async Task Every_route_is_described_and_every_description_has_its_route()
    {
        var document = await DocumentAsync();
        var described = OpenApiWalk.Operations(document).Select(o => $"{o.Method} {o.Path}").Order().ToArray();

        var routes = app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.Metadata.GetMetadata<IExcludeFromDescriptionMetadata>()?.ExcludeFromDescription is not true)
            .SelectMany(e => e.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods.Where(m => m != "HEAD").Select(m => $"{m} {Path(e)}") ?? [])
            .Where(r => !r.Contains("/openapi/", StringComparison.Ordinal))
            .Order().ToArray();

        Assert.Contains("PATCH /audits/{id}", routes);
        Assert.Equal(routes, described);

        static string Path(RouteEndpoint endpoint) => Regex.Replace(
            "/" + endpoint.RoutePattern.RawText!.Trim('/'), @"\{(?<name>\w+)[^}]*\}", "{${name}}", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(60));
    }

    [Fact]
    public async Task Every_operation_has_summary_tag_parameters_bodies_examples_and_errors() =>
        Assert.Empty(OpenApiWalk.Faults(await DocumentAsync()));

    [Fact]
    public async Task ChatKit_answers_with_a_stream_or_with_JSON()
    {
        var content = (await DocumentAsync()).GetProperty("paths").GetProperty("/chatkit").GetProperty("post").GetProperty("responses").GetProperty("200").GetProperty("content");

        Assert.Equal(["application/json", "text/event-stream"], content.EnumerateObject().Select(c => c.Name).Order());
        Assert.StartsWith("thr_", content.GetProperty("application/json").GetProperty("example").GetProperty("id").GetString(), StringComparison.Ordinal);
        Assert.Contains("thread.item.updated", content.GetProperty("text/event-stream").GetProperty("example").GetString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("summary")]
    [InlineData("tags")]
    [InlineData("operationId")]
    [InlineData("requestBody")]
    [InlineData("requestBody/content")]
    [InlineData("requestBody/content/application~1json/schema")]
    [InlineData("requestBody/content/application~1json/example")]
    [InlineData("parameters")]
    [InlineData("parameters/0/description")]
    [InlineData("parameters/0/schema/type")]
    [InlineData("responses/200")]
    [InlineData("responses/200/content")]
    [InlineData("responses/200/content/application~1json/schema")]
    [InlineData("responses/200/content/application~1json/example")]
    [InlineData("responses/400")]
    [InlineData("responses/404")]
    [InlineData("responses/412/description")]
    [InlineData("responses/412/content")]
    [InlineData("responses/413")]
    [InlineData("responses/500")]
    [InlineData("responses/503/headers")]
    public async Task The_walk_finds_what_is_missing(string part)
    {
        var document = JsonNode.Parse((await DocumentAsync()).GetRawText())!;
        JsonNode holder = document["paths"]!["/audits/{id}"]!["put"]!;
        var steps = part.Split('/').Select(s => s.Replace("~1", "/")).ToArray();
        foreach (var step in steps[..^1])
            holder = int.TryParse(step, out var index) && holder is JsonArray array ? array[index]! : holder[step]!;
        Assert.True(holder.AsObject().Remove(steps[^1]), $"There is no {part} to remove.");

        var faults = OpenApiWalk.Faults(JsonElement.Parse(document.ToJsonString()));

        Assert.NotEmpty(faults);
        Assert.All(faults, f => Assert.StartsWith("PUT /audits/{id}: ", f));
    }

    [Fact]
    public async Task Every_response_that_a_handlers_comment_names_is_described()
    {
        var operations = OpenApiWalk.Operations(await DocumentAsync())
            .ToDictionary(o => o.Operation.GetProperty("operationId").GetString()!, o => o.Operation.GetProperty("responses"));
        var comments = XDocument.Load(System.IO.Path.Combine(AppContext.BaseDirectory, "ChatBackend.xml")).Descendants("member")
            .SelectMany(m => m.Elements("response").Select(r => (
                Handler: Regex.Match(m.Attribute("name")!.Value, @"\.(?<type>\w+)\.HandleAsync\(", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(60)).Groups["type"].Value,
                Code: r.Attribute("code")!.Value)))
            .Where(c => c.Handler.Length > 0).ToArray();

        Assert.Contains(("SummarizeAudit", "409"), comments);
        Assert.DoesNotContain(comments, c => !operations[c.Handler].TryGetProperty(c.Code, out _));
    }

    [Fact]
    public async Task The_headers_of_audits_are_described_where_they_are_sent()
    {
        var paths = (await DocumentAsync()).GetProperty("paths");
        const string body = """{"title":"Gait of the left leg"}""";

        var id = "";
        id = (await CompareAsync(HttpMethod.Post, "/audits", body, ["ETag", "Location"])).Headers.Location!.ToString().Split('/')[^1];
        await CompareAsync(HttpMethod.Get, "/audits/{id}", null, ["ETag"]);
        await CompareAsync(HttpMethod.Put, "/audits/{id}", body, ["ETag"]);
        await CompareAsync(HttpMethod.Patch, "/audits/{id}", body, ["ETag"]);
        await CompareAsync(HttpMethod.Post, "/audits/{id}/summary", null, ["ETag"]);
        await CompareAsync(HttpMethod.Get, "/audits", null, []);
        await CompareAsync(HttpMethod.Delete, "/audits/{id}", null, []);

        async Task<HttpResponseMessage> CompareAsync(HttpMethod method, string path, string? body, string[] expected)
        {
            var response = await app.Client.SendAsync(method, path.Replace("{id}", id), body);

            Assert.Equal(expected, response.Headers.Select(h => h.Key).Intersect(["ETag", "Location"]).Order());
            var described = paths.GetProperty(path).GetProperty(method.Method.ToLowerInvariant()).GetProperty("responses").GetProperty($"{(int)response.StatusCode}");
            Assert.Equal(expected, described.TryGetProperty("headers", out var headers) ? headers.EnumerateObject().Select(h => h.Name).Except(["RateLimit", "RateLimit-Policy"]).Order() : []);
            return response;
        }
    }

    [Fact]
    public async Task Routes_that_limit_or_ask_who_calls_say_so()
    {
        var operations = OpenApiWalk.Operations(await DocumentAsync()).ToDictionary(o => o.Operation.GetProperty("operationId").GetString()!, o => o.Operation);
        var endpoints = app.Services.GetRequiredService<EndpointDataSource>().Endpoints;

        Assert.Equal(["PostAiSdkChat", "PostChat", "PostChatKit", "PostCompletion", "PostIngest", "PostMcp", "PostTranslate", "RegenerateTurn", "SearchPassages", "SummarizeAudit"], Saying("429"));
        Assert.Equal(Saying("401"), Named<IAuthorizeData>());
        Assert.Equal(Saying("401"), operations.Where(o => o.Value.TryGetProperty("security", out _)).Select(o => o.Key).Order());

        IEnumerable<string> Saying(string status) => operations.Where(o => o.Value.GetProperty("responses").TryGetProperty(status, out _)).Select(o => o.Key).Order();
        IEnumerable<string> Named<T>() where T : class => endpoints
            .Where(e => e.Metadata.GetMetadata<T>() is not null).Select(e => e.Metadata.GetMetadata<IEndpointNameMetadata>()!.EndpointName).Order();
    }

    [Fact]
    public async Task Streams_have_their_own_content_type()
    {
        var paths = (await DocumentAsync()).GetProperty("paths");

        Assert.Equal(["application/json", "text/event-stream"], Types("/chat", "post"));
        Assert.Equal(["application/json", "text/event-stream"], Types("/chat/turns/{id}/regenerate", "post"));
        Assert.Equal(["text/event-stream"], Types("/chat/turns/{id}/events", "get"));

        IEnumerable<string> Types(string path, string method) => paths.GetProperty(path).GetProperty(method)
            .GetProperty("responses").GetProperty("200").GetProperty("content").EnumerateObject().Select(c => c.Name).Order();
    }

    [Fact]
    public async Task Names_are_snake_case_bounds_are_there_and_nothing_is_undefined()
    {
        var document = await DocumentAsync();
        var schemas = document.GetProperty("components").GetProperty("schemas");

        Assert.StartsWith("3.1", document.GetProperty("openapi").GetString());
        Assert.All(
            schemas.EnumerateObject().SelectMany(s => s.Value.TryGetProperty("properties", out var properties) ? properties.EnumerateObject().ToArray() : []),
            // The AI SDK's own name.
            p => Assert.True(p.Name == "messageId" || Regex.IsMatch(p.Name, "^[a-z][a-z0-9_]*$", RegexOptions.None, TimeSpan.FromSeconds(60)), p.Name));
        Assert.All(
            Regex.Matches(document.GetRawText(), "#/components/schemas/(?<name>[A-Za-z0-9_]+)", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(60)).Select(m => m.Groups["name"].Value),
            name => Assert.True(schemas.TryGetProperty(name, out _), name));

        var parameters = document.GetProperty("paths").GetProperty("/audits").GetProperty("get").GetProperty("parameters").EnumerateArray()
            .ToDictionary(p => p.GetProperty("name").GetString()!, p => p.GetProperty("schema"));
        Assert.Equal((1, 50, 20), (parameters["page_size"].GetProperty("minimum").GetInt32(), parameters["page_size"].GetProperty("maximum").GetInt32(), parameters["page_size"].GetProperty("default").GetInt32()));
        Assert.Equal(["pending", "in_progress", "completed", "failed"], parameters["status"].GetProperty("enum").EnumerateArray().Select(v => v.GetString()));
        var problem = schemas.GetProperty("ProblemDetails").GetProperty("properties");
        Assert.All((string[])["code", "trace_id", "errors"], name => Assert.True(problem.TryGetProperty(name, out _)));
        Assert.Equal("/", document.GetProperty("servers")[0].GetProperty("url").GetString());
    }

    [Fact]
    public async Task What_an_audit_always_has_is_required_of_it_and_a_patch_requires_and_defaults_nothing()
    {
        var schemas = (await DocumentAsync()).GetProperty("components").GetProperty("schemas");

        var audit = schemas.GetProperty("AuditResponse");
        Assert.Equal(audit.GetProperty("properties").EnumerateObject().Select(p => p.Name).Order(), audit.GetProperty("required").EnumerateArray().Select(r => r.GetString()!).Order());
        // A null status is the default one: an enumeration without null would refuse it.
        Assert.Contains(schemas.GetProperty("AuditRequest").GetProperty("properties").GetProperty("status").GetProperty("enum").EnumerateArray(), v => v.ValueKind is JsonValueKind.Null);
        var patch = schemas.GetProperty("AuditRequestPatch");
        Assert.False(patch.TryGetProperty("required", out _));
        Assert.DoesNotContain("\"default\"", patch.GetRawText());
    }

    private async Task<JsonElement> DocumentAsync() => await (await app.Client.GetAsync("/openapi/v1.json")).JsonAsync();
}
