
namespace ChatBackend.Tests.Infrastructure.Http;

public sealed class CrossOriginTests
{
    private const string Docusaurus = "http://localhost:3000";
    private const string Foreign = "https://evil.example";

    [Theory]
    [InlineData("Production", null, Foreign, null)]
    [InlineData("Production", null, Docusaurus, Docusaurus)]
    [InlineData("Production", "https://book.example.org/", "https://book.example.org", "https://book.example.org")]
    [InlineData("Production", "https://book.example.org", Foreign, null)]
    [InlineData("Production", "*", Foreign, "*")]
    [InlineData("Development", null, Foreign, "*")]
    [InlineData("Development", "https://book.example.org", Foreign, null)]
    public async Task Only_the_sites_own_pages_may_read_answers(string environment, string? frontendUrl, string origin, string? allowed)
    {
        await using var app = new ChatBackendApp { Environment = environment, ["AI_PROVIDER"] = "offline" };
        if (frontendUrl is not null)
            app["FRONTEND_URL"] = frontendUrl;
        await app.InitializeAsync();

        Assert.Equal(allowed, Header(await SendAsync(app, HttpMethod.Get, origin), "Access-Control-Allow-Origin"));
        Assert.Equal(allowed, Header(await SendAsync(app, HttpMethod.Options, origin), "Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task Pages_may_read_the_headers_that_they_need()
    {
        await using var app = new ChatBackendApp();
        await app.InitializeAsync();

        var exposed = Header(await SendAsync(app, HttpMethod.Get, Docusaurus), "Access-Control-Expose-Headers");

        Assert.Equal(
            ["Content-Disposition", "ETag", "Location", "mcp-session-id", "RateLimit", "RateLimit-Policy", "Retry-After", "x-vercel-ai-ui-message-stream"],
            exposed?.Split(',', StringSplitOptions.TrimEntries).Order(StringComparer.OrdinalIgnoreCase));
    }

    [Theory]
    [InlineData("x-stainless-os")]
    [InlineData("mcp-protocol-version")]
    [InlineData("last-event-id")]
    public async Task Pages_may_send_the_headers_of_any_client(string name)
    {
        await using var app = new ChatBackendApp();
        await app.InitializeAsync();
        using var preflight = new HttpRequestMessage(HttpMethod.Options, "/chat")
        {
            Headers = { { "Origin", Docusaurus }, { "Access-Control-Request-Method", "POST" }, { "Access-Control-Request-Headers", name } },
        };

        var response = await app.Client.SendAsync(preflight);

        Assert.Equal(name, Header(response, "Access-Control-Allow-Headers"));
    }

    private static async Task<HttpResponseMessage> SendAsync(ChatBackendApp app, HttpMethod method, string origin)
    {
        using var request = new HttpRequestMessage(method, "/health") { Headers = { { "Origin", origin }, { "Access-Control-Request-Method", "GET" } } };
        return await app.Client.SendAsync(request);
    }

    private static string? Header(HttpResponseMessage response, string name) =>
        response.Headers.TryGetValues(name, out var values) ? string.Join(',', values) : null;
}
