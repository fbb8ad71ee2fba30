using System.Net;
using System.Text;

namespace ChatBackend.Tests.Infrastructure.Auth;

public sealed class IngestKeyTests
{
    private const string Key = "ingest-key-of-the-operator";

    [Theory]
    [InlineData("Production")]
    [InlineData("Development")]
    public async Task The_key_opens_in_either_header_and_nothing_else_does(string environment)
    {
        await using var host = await AuthHost.StartAsync(environment, ("INGEST_API_KEY", Key));

        Assert.Equal(HttpStatusCode.OK, (await PostAsync(host, ("X-API-Key", Key))).StatusCode);
        Assert.Equal("""{"subject":null}""", await (await PostAsync(host, ("Authorization", $"Bearer {Key}"))).Content.ReadAsStringAsync());
        foreach (var wrong in (string[])["x", Key + "x", Key[..^1], Key.ToUpperInvariant(), new('k', 5000)])
        {
            await ExpectAsync("invalid_ingest_key", "Bearer realm=\"ingest\", error=\"invalid_token\"", await PostAsync(host, ("X-API-Key", wrong)));
            await ExpectAsync("invalid_ingest_key", "Bearer realm=\"ingest\", error=\"invalid_token\"", await PostAsync(host, ("Authorization", $"Bearer {wrong}")));
        }

        await ExpectAsync("ingest_key_required", "Bearer realm=\"ingest\"", await PostAsync(host));
        await ExpectAsync("ingest_key_required", "Bearer realm=\"ingest\"", await PostAsync(host, ("Authorization", "Basic x")));
        Assert.DoesNotContain(host.Warnings, w => w.Contains("INGEST_API_KEY", StringComparison.Ordinal));
    }

    [Fact]
    public async Task In_development_without_a_key_it_is_open_to_this_machine_only()
    {
        await using var host = await AuthHost.StartAsync("Development");

        Assert.Equal(HttpStatusCode.OK, (await PostAsync(host)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await PostAsync(host, ("Origin", "http://localhost:3000"))).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await PostAsync(host, ("Authorization", "Bearer anything"))).StatusCode);
        foreach (var (name, value) in ((string, string)[])[
            ("X-Forwarded-For", "127.0.0.1"), ("X-Real-IP", "127.0.0.1"), ("Forwarded", "for=127.0.0.1"), ("Via", "1.1 proxy"), ("X-Forwarded-Proto", "https"),
            // A page in the developer's browser, and one that rebound its name to 127.0.0.1.
            ("Origin", "https://evil.example"), ("Origin", "null"), ("Host", "evil.example")])
        {
            await ExpectAsync("ingest_key_not_configured", "Bearer realm=\"ingest\"", await PostAsync(host, (name, value)));
        }
    }

    [Fact]
    public async Task In_development_without_a_key_a_forwarded_loopback_address_does_not_open_ingest()
    {
        await using var host = await AuthHost.StartAsync("Development", ("TRUSTED_PROXIES", "127.0.0.0/8"));

        foreach (var header in (string[])["X-Forwarded-For", "X-Real-IP"])
            await ExpectAsync("ingest_key_not_configured", "Bearer realm=\"ingest\"", await PostAsync(host, (header, "127.0.0.1")));
    }

    [Fact]
    public async Task Elsewhere_without_a_key_it_is_closed_with_a_warning()
    {
        await using var host = await AuthHost.StartAsync("Production");

        await ExpectAsync("ingest_key_not_configured", "Bearer realm=\"ingest\"", await PostAsync(host));
        await ExpectAsync("ingest_key_not_configured", "Bearer realm=\"ingest\"", await PostAsync(host, ("X-API-Key", "")));
        await ExpectAsync("ingest_key_not_configured", "Bearer realm=\"ingest\"", await PostAsync(host, ("X-API-Key", Key)));
        Assert.Contains(host.Warnings, w => w.Contains("INGEST_API_KEY", StringComparison.Ordinal));
    }

    [Fact]
    public async Task While_a_key_is_replaced_the_old_and_the_new_one_are_valid()
    {
        await using var host = await AuthHost.StartAsync("Production", ("INGEST_API_KEY", $"{Key}, the-new-key"));

        foreach (var valid in (string[])[Key, "the-new-key"])
        {
            Assert.Equal(HttpStatusCode.OK, (await PostAsync(host, ("X-API-Key", valid))).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await PostAsync(host, ("Authorization", $"Bearer {valid}"))).StatusCode);
        }

        foreach (var wrong in (string[])[$"{Key}, the-new-key", $"{Key},the-new-key", ",", ", ", "the-new-ke"])
            await ExpectAsync("invalid_ingest_key", "Bearer realm=\"ingest\", error=\"invalid_token\"", await PostAsync(host, ("X-API-Key", wrong)));
    }

    [Theory]
    [InlineData($"?api_key={Key}")]
    [InlineData($"?X-API-KEY={Key}")]
    [InlineData("?access_token=a-wrong-one")]
    // Under a name that nobody expects.
    [InlineData($"?prune=true&password={Key}")]
    public async Task A_key_in_the_address_is_refused_with_or_without_the_header(string query)
    {
        await using var host = await AuthHost.StartAsync("Production", ("INGEST_API_KEY", $"another,{Key}"));

        foreach (var header in (string?[])[null, Key])
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/ingest" + query) { Content = new StringContent("{}", Encoding.UTF8, "application/json") };
            if (header is not null)
                request.Headers.Add("X-API-Key", header);

            var problem = await (await host.Client.SendAsync(request)).ProblemAsync(401, "ingest_key_in_query");
            Assert.Contains("X-API-Key", problem.GetProperty("detail").GetString());
            Assert.DoesNotContain(Key, problem.ToString());
        }
    }

    [Fact]
    public async Task The_key_is_asked_for_before_the_body_is_read()
    {
        await using var host = await AuthHost.StartAsync("Production", ("INGEST_API_KEY", Key));

        await (await PostAsync(host, "no JSON")).ProblemAsync(401, "ingest_key_required");
        await (await PostAsync(host, "no JSON", ("X-API-Key", Key))).ProblemAsync(400, "malformed_json");
    }

    private static Task<HttpResponseMessage> PostAsync(AuthHost host, params (string Name, string Value)[] headers) => PostAsync(host, "{}", headers);

    private static Task<HttpResponseMessage> PostAsync(AuthHost host, string body, params (string Name, string Value)[] headers)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/ingest") { Content = new StringContent(body, Encoding.UTF8, "application/json") };
        foreach (var (name, value) in headers)
            request.Headers.TryAddWithoutValidation(name, value);
        return host.Client.SendAsync(request);
    }

    private static async Task ExpectAsync(string code, string challenge, HttpResponseMessage response)
    {
        await response.ProblemAsync(401, code);
        Assert.Equal(challenge, string.Join(", ", response.Headers.GetValues("WWW-Authenticate")));
    }
}
