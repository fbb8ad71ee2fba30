using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json;
using System.Text.RegularExpressions;
using ChatBackend.Tests.Infrastructure.Auth;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Chat;

/// <summary>A session begun with a token belongs to its subject: to all others it does not exist.</summary>
public sealed class OwnershipTests(OwnershipTests.SignedInApp app) : IClassFixture<OwnershipTests.SignedInApp>
{
    private const string Question = "How do ROS 2 nodes talk to each other?";

    private const string Claim = "/chat/sessions/{id}/claim";

    /// <summary>The routes that take the id of a session, a turn or a message, and a body where they need one.</summary>
    private static readonly (HttpMethod Method, string Route, string Id, object? Body)[] Routes =
    [
        (HttpMethod.Get, "/chat/turns/{id}", "turn_id", null),
        (HttpMethod.Get, "/chat/turns/{id}/events", "turn_id", null),
        (HttpMethod.Post, "/chat/turns/{id}/stop", "turn_id", null),
        (HttpMethod.Post, "/chat/turns/{id}/regenerate", "turn_id", null),
        (HttpMethod.Get, "/chat/sessions/{id}/messages", "session_id", null),
        (HttpMethod.Put, "/chat/messages/{id}/feedback", "message_id", new { rating = "up" }),
        (HttpMethod.Post, Claim, "session_id", null),
        (HttpMethod.Patch, "/chat/sessions/{id}", "session_id", new { title = "Nodes" }),
        (HttpMethod.Delete, "/chat/sessions/{id}", "session_id", null),
    ];

    [Fact]
    public void Every_route_with_an_id_is_tested() => Assert.Equal(
        app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(e => e.RoutePattern.RawText is { } route && route.StartsWith("/chat", StringComparison.Ordinal) && route.Contains('{'))
            // HEAD runs GET's handler.
            .SelectMany(e => e.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Where(m => m != HttpMethods.Head).Select(m => $"{m} {e.RoutePattern.RawText}")).Order(),
        Routes.Select(r => $"{r.Method} {r.Route}").Order());

    [Fact]
    public async Task A_signed_in_readers_conversation_does_not_exist_for_others()
    {
        var (a, b) = (NewReader(), NewReader());
        var answer = await (await AskAsync(a, new { message = Question })).JsonAsync();
        Assert.Equal(a, await app.ScalarAsync<string>("select user_id from chat_sessions where id = @id", new { id = answer.GetProperty("session_id").GetGuid() }));

        foreach (var (method, route, id, body) in Routes)
        {
            var unknown = await RefusedAsync(await SendAsync(b, method, route, Guid.NewGuid().ToString(), body));
            var own = answer.GetProperty(id).GetString()!;
            Assert.Equal(unknown, await RefusedAsync(await SendAsync(b, method, route, own, body)));
            foreach (var any in (string[])[own, Guid.NewGuid().ToString()])
            {
                if (NeedsToken(method, route))
                    await (await SendAsync(null, method, route, any, body)).ProblemAsync(401, "token_required");
                else
                    Assert.Equal(unknown, await RefusedAsync(await SendAsync(null, method, route, any, body)));
            }

            Assert.Equal(unknown, await RefusedAsync(await SendAsync(a, method, route, Guid.NewGuid().ToString(), body)));
            // Other spellings of the same key are no key.
            Assert.Equal(unknown, await RefusedAsync(await SendAsync(a, method, route, own.ToUpperInvariant(), body)));
            Assert.Equal(unknown, await RefusedAsync(await SendAsync(a, method, route, own.Replace("-", "", StringComparison.Ordinal), body)));
        }

        Assert.Equal(0, await app.ScalarAsync<int>("select count(*) from message_feedback where message_id = @id", new { id = answer.GetProperty("message_id").GetGuid() }));
        foreach (var (method, route, id, body) in Routes)
            Assert.True((await SendAsync(a, method, route, answer.GetProperty(id).GetString()!, body)).IsSuccessStatusCode, $"{method} {route}");
    }

    [Fact]
    public async Task Only_its_owner_can_continue_a_conversation()
    {
        var (a, b) = (NewReader(), NewReader());
        var session = (await (await AskAsync(a, new { message = Question })).JsonAsync()).GetProperty("session_id").GetString();
        var more = new { message = "And why is that?", session_id = session };

        var refused = await RefusedAsync(await AskAsync(b, more));
        Assert.Equal(refused, await RefusedAsync(await AskAsync(null, more)));
        Assert.Equal(refused, await RefusedAsync(await AskAsync(b, more, accept: "text/event-stream")));
        Assert.Equal(2, await app.ScalarAsync<int>("select count(*) from messages where session_id = @id", new { id = Guid.Parse(session!) }));

        Assert.Equal(HttpStatusCode.OK, (await AskAsync(a, more)).StatusCode);
    }

    [Fact]
    public async Task Another_readers_idempotency_key_reveals_nothing()
    {
        var (a, b, key) = (NewReader(), NewReader(), Guid.NewGuid().ToString());
        var first = await (await AskAsync(a, new { message = Question }, key)).JsonAsync();
        var again = await (await AskAsync(a, new { message = Question }, key)).JsonAsync();
        Assert.Equal(first.GetProperty("turn_id").GetString(), again.GetProperty("turn_id").GetString());

        foreach (var other in (string?[])[b, null])
        {
            var own = await (await AskAsync(other, new { message = Question }, key)).JsonAsync();
            Assert.NotEqual(first.GetProperty("session_id").GetString(), own.GetProperty("session_id").GetString());
        }

        var session = first.GetProperty("session_id").GetString();
        var inSession = new { message = Question, session_id = session };
        Assert.Equal(HttpStatusCode.OK, (await AskAsync(a, inSession, key)).StatusCode);
        await (await AskAsync(b, inSession, key)).ProblemAsync(404, "session_not_found");
        await (await AskAsync(null, inSession, key)).ProblemAsync(404, "session_not_found");
        await (await AskAsync(b, new { message = "Something else", session_id = session }, key)).ProblemAsync(404, "session_not_found");
    }

    [Fact]
    public async Task An_anonymous_conversation_is_open_to_everybody_who_knows_its_id()
    {
        foreach (var reader in (string?[])[null, NewReader()])
        {
            var answer = await (await AskAsync(null, new { message = Question })).JsonAsync();
            foreach (var (method, route, id, body) in Routes.SkipLast(1).Where(r => reader is not null || !NeedsToken(r.Method, r.Route)))
                Assert.True((await SendAsync(reader, method, route, answer.GetProperty(id).GetString()!, body)).IsSuccessStatusCode, $"{method} {route}");
        }
    }

    [Fact]
    public async Task A_bad_token_is_401_on_every_chat_route_and_nothing_is_stored()
    {
        var session = Guid.NewGuid();
        var expired = app.Token("reader", TimeSpan.FromMinutes(-1));

        foreach (var token in (string[])[expired, "nonsense"])
        {
            await ExpectAsync(await SendRawAsync(token, HttpMethod.Post, "/chat", new { message = Question, session_id = session }));
            // The token is looked at before the body is.
            await ExpectAsync(await SendRawAsync(token, HttpMethod.Post, "/chat", new { }));
            foreach (var (method, route, _, body) in Routes)
                await ExpectAsync(await SendRawAsync(token, method, route.Replace("{id}", $"{Guid.NewGuid()}", StringComparison.Ordinal), body));
        }

        Assert.Equal(0, await app.ScalarAsync<int>("select count(*) from chat_sessions where id = @session", new { session }));
        Assert.True((await SendRawAsync("nonsense", HttpMethod.Get, "/audits", null)).IsSuccessStatusCode);
        Assert.True((await SendRawAsync("nonsense", HttpMethod.Get, "/health", null)).IsSuccessStatusCode);

        static async Task ExpectAsync(HttpResponseMessage response)
        {
            await response.ProblemAsync(401, "invalid_token");
            Assert.Equal(["Bearer error=\"invalid_token\""], response.Headers.WwwAuthenticate.Select(h => h.ToString()));
        }
    }

    [Fact]
    public async Task A_pages_script_may_read_why_its_token_was_refused()
    {
        using var request = Request("nonsense", HttpMethod.Post, "/chat", new { message = Question });
        request.Headers.Add("Origin", "http://localhost:3000");

        var response = await app.Client.SendAsync(request);

        await response.ProblemAsync(401, "invalid_token");
        Assert.Single(response.Headers.GetValues("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task The_description_says_that_the_token_is_optional()
    {
        var document = await (await app.Client.GetAsync("/openapi/v1.json")).JsonAsync();
        var ask = document.GetProperty("paths").GetProperty("/chat").GetProperty("post");

        Assert.Equal("""[{"bearer":[]},{}]""", JsonSerializer.Serialize(ask.GetProperty("security")));
        Assert.True(ask.GetProperty("responses").TryGetProperty("401", out _));
        Assert.False(document.GetProperty("paths").GetProperty("/audits").GetProperty("get").TryGetProperty("security", out _));
        var schemes = document.GetProperty("components").GetProperty("securitySchemes");
        Assert.Equal(("http", "bearer"), (schemes.GetProperty("bearer").GetProperty("type").GetString(), schemes.GetProperty("bearer").GetProperty("scheme").GetString()));
        Assert.Equal(("apiKey", "X-API-Key"), (schemes.GetProperty("ingestKey").GetProperty("type").GetString(), schemes.GetProperty("ingestKey").GetProperty("name").GetString()));
    }

    private static bool NeedsToken(HttpMethod method, string route) => route == Claim || method == HttpMethod.Patch;

    private static string NewReader() => $"reader-{Guid.NewGuid():N}";

    private Task<HttpResponseMessage> AskAsync(string? reader, object body, string? key = null, string? accept = null)
    {
        var request = Request(reader is null ? null : app.Token(reader), HttpMethod.Post, "/chat", body);
        if (key is not null)
            request.Headers.Add("Idempotency-Key", key);
        if (accept is not null)
            request.Headers.Add("Accept", accept);
        return app.Client.SendAsync(request);
    }

    private Task<HttpResponseMessage> SendAsync(string? reader, HttpMethod method, string route, string id, object? body) =>
        SendRawAsync(reader is null ? null : app.Token(reader), method, route.Replace("{id}", id, StringComparison.Ordinal), body);

    private Task<HttpResponseMessage> SendRawAsync(string? token, HttpMethod method, string path, object? body) =>
        app.Client.SendAsync(Request(token, method, path, body));

    private static HttpRequestMessage Request(string? token, HttpMethod method, string path, object? body) => new(method, path)
    {
        Content = body is null ? null : JsonContent.Create(body),
        Headers = { Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token) },
    };

    /// <summary>All that a 404 tells, besides which request it answers.</summary>
    private static async Task<string> RefusedAsync(HttpResponseMessage response)
    {
        await response.ProblemAsync(404, JsonDocument.Parse(await response.Content.ReadAsStringAsync()).RootElement.GetProperty("code").GetString()!);
        var body = Regex.Replace(await response.Content.ReadAsStringAsync(), "\"(trace_id|instance)\":\"[^\"]*\"", "\"$1\":\"\"", RegexOptions.None, TimeSpan.FromSeconds(60));
        var headers = response.Headers.Concat(response.Content.Headers).Where(h => h.Key is not ("Date" or "Content-Length")).Select(h => $"{h.Key}: {string.Join(", ", h.Value)}").Order();
        return $"{string.Join('\n', headers)}\n\n{body}";
    }

    /// <summary>The service behind a site's sign-in, with the offline model.</summary>
    public sealed class SignedInApp : ChatBackendApp
    {
        private const string Issuer = "https://book.example.org";

        private readonly SigningKey _key = SigningKey.Ed25519("key-1");
        private StubKeySet _keySet = null!;

        public override async ValueTask InitializeAsync()
        {
            _keySet = await StubKeySet.StartAsync(_key);
            this["AUTH_JWKS_URL"] = _keySet.Url;
            this["AUTH_ISSUER"] = this["AUTH_AUDIENCE"] = Issuer;
            await base.InitializeAsync();
            await Until.TrueAsync(async () => (await Client.GetAsync("/health/ready")).IsSuccessStatusCode, "The service is not ready");
        }

        /// <summary>A reader's token, as better-auth makes them.</summary>
        public string Token(string subject, TimeSpan? expires = null)
        {
            var now = DateTimeOffset.UtcNow;
            return _key.Token(JsonSerializer.Serialize(new
            {
                iss = Issuer,
                aud = Issuer,
                sub = subject,
                email = "reader@example.org",
                iat = now.AddMinutes(-5).ToUnixTimeSeconds(),
                exp = (now + (expires ?? TimeSpan.FromMinutes(15))).ToUnixTimeSeconds(),
            }));
        }

        public override async ValueTask DisposeAsync()
        {
            await base.DisposeAsync();
            await _keySet.DisposeAsync();
        }
    }
}
