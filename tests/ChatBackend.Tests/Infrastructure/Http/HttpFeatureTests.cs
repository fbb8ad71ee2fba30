using System.Net;
using System.Net.Http.Json;
using ChatBackend.Tests.Infrastructure.Auth;
using ChatBackend.Tests.Infrastructure.Http.OpenApi;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Infrastructure.Http;

public sealed class HttpFeatureTests(ChatBackendApp app) : IClassFixture<ChatBackendApp>
{
    private static readonly HttpClient NoRedirects = new(new SocketsHttpHandler { AllowAutoRedirect = false });

    [Fact]
    public async Task HEAD_answers_what_GET_answers_without_its_body()
    {
        var answer = await (await app.Client.PostAsJsonAsync("/chat", new { message = "What is a topic?" })).JsonAsync();
        var audit = await (await app.Client.PostAsJsonAsync("/audits", new { title = "Chapter" })).JsonAsync();
        var paths = app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.Metadata.GetMetadata<IHttpMethodMetadata>()!.HttpMethods.Contains("GET"))
            .Select(PathOf)
            .ToArray();

        Assert.Contains($"/audits/{audit.GetProperty("id").GetString()}", paths);
        foreach (var path in (string[])[.. paths, "/search?limit=abc", "/audits/none", "/docs/"])
        {
            using var got = await SendAsync(HttpMethod.Get, path);
            using var head = await SendAsync(HttpMethod.Head, path);

            Assert.True(got.StatusCode == head.StatusCode, $"{path}: {(int)got.StatusCode} for GET, {(int)head.StatusCode} for HEAD");
            Assert.Equal(HeadersOf(got), HeadersOf(head));
            Assert.Empty(await head.Content.ReadAsByteArrayAsync());
        }

        string PathOf(RouteEndpoint endpoint)
        {
            var path = "/" + endpoint.RoutePattern.RawText!.Trim('/');
            var id = path switch
            {
                _ when path.StartsWith("/chat/turns", StringComparison.Ordinal) => answer.GetProperty("turn_id"),
                _ when path.StartsWith("/chat/sessions", StringComparison.Ordinal) => answer.GetProperty("session_id"),
                _ => audit.GetProperty("id"),
            };
            path = path.Replace("{documentName:regex(^v1$)}", "v1", StringComparison.Ordinal).Replace("{id}", id.GetString(), StringComparison.Ordinal);
            return path == "/search" ? "/search?q=topic" : path;
        }
    }

    [Fact]
    public async Task HEAD_of_a_turn_that_runs_does_not_wait_for_its_end()
    {
        var session = Guid.NewGuid();
        var turn = Guid.NewGuid();
        // Held by another process for ever, so the turn does not end.
        await app.ExecuteAsync(
            """
            insert into chat_sessions (id) values (@session);
            insert into turns (id, session_id, number, request, lease_owner, lease_until) values (@turn, @session, 1, '{"message":"x"}', @session, now() + interval '1 hour');
            """,
            new { session, turn });

        using var oneConnection = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 1 }) { BaseAddress = app.Address, Timeout = TimeSpan.FromMinutes(1) };
        using var head = await oneConnection.SendAsync(new(HttpMethod.Head, $"/chat/turns/{turn}/events"));

        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Equal("text/event-stream", head.Content.Headers.ContentType?.MediaType);
        // The connection accepts the next request once this handler has returned.
        Assert.Equal(HttpStatusCode.OK, (await oneConnection.GetAsync("/health")).StatusCode);
    }

    [Fact]
    public async Task Allow_lists_HEAD_beside_GET_and_HEAD_on_a_POST_route_is_405()
    {
        Assert.Equal(["GET", "HEAD"], (await app.Client.DeleteAsync("/health")).Content.Headers.Allow.Order());
        Assert.Equal(HttpStatusCode.MethodNotAllowed, (await SendAsync(HttpMethod.Head, "/chat")).StatusCode);
    }

    [Fact]
    public async Task A_query_parameter_of_the_wrong_form_is_named_on_every_route()
    {
        await using var withSignIn = new ChatBackendApp { ["AUTH_SECRET"] = HostileRequests.Secret };
        await withSignIn.InitializeAsync();
        withSignIn.Client.DefaultRequestHeaders.Authorization =
            new("Bearer", SigningKey.Secret(HostileRequests.Secret).Token($$"""{"sub":"reader","exp":{{DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeSeconds()}}}"""));
        var document = await (await app.Client.GetAsync("/openapi/v1.json")).JsonAsync();
        var parameters =
            from operation in OpenApiWalk.Operations(document)
            where operation.Operation.TryGetProperty("parameters", out _)
            from parameter in operation.Operation.GetProperty("parameters").EnumerateArray()
            where parameter.GetProperty("in").ValueEquals("query")
            select (operation.Method, Path: operation.Path.Replace("{id}", Guid.NewGuid().ToString(), StringComparison.Ordinal), Name: parameter.GetProperty("name").GetString()!);
        // Any text is a valid q, folder, version, or path of a document.
        var checkedOnes = parameters.Where(p => p.Name is not ("q" or "root" or "version") && (p.Path, p.Name) is not ("/ingest/documents", "after" or "path")).ToArray();

        Assert.Contains(checkedOnes, p => p.Path.EndsWith("/messages", StringComparison.Ordinal) && p.Name == "limit");
        foreach (var (method, path, name) in checkedOnes)
        {
            var problem = await (await withSignIn.Client.SendAsync(new(new(method), $"{path}?q=topic&{name}=abc"))).ProblemAsync(400, "invalid_request");
            Assert.True(problem.TryGetProperty("errors", out var errors) && errors.TryGetProperty(name, out _), $"{method} {path}: {problem}");
        }
    }

    private Task<HttpResponseMessage> SendAsync(HttpMethod method, string path) =>
        NoRedirects.SendAsync(new(method, new Uri(app.Address, path)), TestContext.Current.CancellationToken);

    /// <summary>Without the headers that may differ: RFC 9110 allows HEAD to omit those that depend on generating the body.</summary>
    private static string[] HeadersOf(HttpResponseMessage response) =>
        [.. response.Headers.Concat(response.Content.Headers).Where(h => h.Key is not ("Date" or "Transfer-Encoding" or "Content-Length")).Select(h => $"{h.Key}: {string.Join(", ", h.Value)}").Order(StringComparer.Ordinal)];
}
