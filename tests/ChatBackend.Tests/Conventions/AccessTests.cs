using System.Net.Http.Headers;
using System.Text.Json;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Tests.Features.Profile;
using ChatBackend.Tests.Infrastructure.Auth;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Conventions;

/// <summary>Who may do what: every route with an id and every route of the profile, as the service maps them, for each caller who is not the owner.</summary>
public sealed class AccessTests(ITestOutputHelper output) : IAsyncLifetime
{
    private static readonly string[] Callers = ["none", "another's", "expired", "forged"];

    private readonly ProfileApp _app = new() { ["INGEST_API_KEY"] = "an ingest key" };
    private readonly string _owner = ProfileApp.NewReader();
    private JsonElement _document;

    public async ValueTask InitializeAsync()
    {
        await _app.InitializeAsync();
        _document = await (await _app.Client.GetAsync("/openapi/v1.json")).JsonAsync();
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();

    [Fact]
    public async Task Every_id_and_the_profile_are_the_owners_alone()
    {
        var routes = (
            from endpoint in _app.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            let path = "/" + endpoint.RoutePattern.RawText!.Trim('/')
            where path.Contains("{id}", StringComparison.Ordinal) || path.StartsWith("/profile", StringComparison.Ordinal)
            from method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()!.HttpMethods.Where(m => m != HttpMethods.Head)
            orderby path, method
            select (Method: method, Path: path, Policy: endpoint.Metadata.GetMetadata<IAuthorizeData>()?.Policy)).ToArray();
        Assert.Contains(routes, r => r is { Method: "GET", Path: "/chat/turns/{id}", Policy: AuthFeature.TokenAccepted });
        Assert.Contains(routes, r => r is { Method: "DELETE", Path: "/profile", Policy: AuthFeature.TokenRequired });
        Assert.Contains(routes, r => r is { Method: "GET", Path: "/ingest/jobs/{id}", Policy: AuthFeature.IngestKeyRequired });
        Assert.Contains(routes, r => r is { Method: "DELETE", Path: "/audits/{id}", Policy: null });
        await SendAsync("PUT", "/profile", ProfileApp.Token(_owner));
        var profile = (await _app.ProfileAsync(_owner)).GetRawText();

        output.WriteLine($"{"route",-44}{string.Concat(Callers.Select(c => $"{c,-26}"))}");
        var faults = new List<string>();
        foreach (var (method, path, policy) in routes)
        {
            var answers = new List<string>();
            foreach (var caller in Callers)
            {
                var target = path.Replace("{id}", await OwnedIdAsync(path), StringComparison.Ordinal);
                var response = await SendAsync(method, target, TokenOf(caller));
                var answer = await DescribeAsync(response);
                answers.Add(answer);
                var expected = Expected(path, policy, caller);
                if (expected is null ? !response.IsSuccessStatusCode && answer != "404 profile_not_found" : !expected.Contains(answer))
                    faults.Add($"{method} {path}, {caller}: {answer} instead of {(expected is null ? "their own" : string.Join(" or ", expected))}");
                if ((await response.Content.ReadAsStringAsync()).Contains(_owner, StringComparison.Ordinal))
                    faults.Add($"{method} {path}, {caller}: names the owner");
            }

            output.WriteLine($"{method + " " + path,-44}{string.Concat(answers.Select(a => $"{a,-26}"))}");
        }

        Assert.Empty(faults);
        Assert.Equal(profile, (await _app.ProfileAsync(_owner)).GetRawText());
        Assert.Equal(0, await _app.ScalarAsync<int>("select count(*) from message_feedback"));
        // Every conversation of the owner's is as it was: one question and its answer.
        Assert.Equal(
            await _app.ScalarAsync<int>("select count(*) * 2 from chat_sessions where user_id = @_owner", new { _owner }),
            await _app.ScalarAsync<int>("select count(*) from messages join chat_sessions on chat_sessions.id = session_id where user_id = @_owner", new { _owner }));
        // The ids were good: their owner is not refused.
        foreach (var (method, path, _) in routes.Where(r => r.Policy is AuthFeature.TokenAccepted or AuthFeature.TokenRequired))
        {
            // One of the requests before deleted it.
            await SendAsync("PUT", "/profile", ProfileApp.Token(_owner));
            var answer = await DescribeAsync(await SendAsync(method, path.Replace("{id}", await OwnedIdAsync(path), StringComparison.Ordinal), ProfileApp.Token(_owner)));
            Assert.True(answer[0] == '2' || answer.StartsWith("409", StringComparison.Ordinal), $"{method} {path}, the owner: {answer}");
        }
    }

    /// <summary>What this caller is answered with where something of the owner's is asked for; null where they get only what is their own.</summary>
    private static string[]? Expected(string path, string? policy, string caller) => (policy, caller) switch
    {
        (AuthFeature.IngestKeyRequired, "none") => ["401 ingest_key_required"],
        (AuthFeature.IngestKeyRequired, _) => ["401 invalid_ingest_key"],
        // The AI SDK's errors are plain text. A chat of another reader is one in which nothing is being written.
        (AuthFeature.TokenAccepted, _) when path.StartsWith("/api/chat/", StringComparison.Ordinal) => [caller is "expired" or "forged" ? "401" : "204"],
        (AuthFeature.TokenAccepted or AuthFeature.TokenRequired, "expired" or "forged") => ["401 invalid_token"],
        (AuthFeature.TokenRequired, "none") => ["401 token_required"],
        (AuthFeature.TokenRequired, "another's") when path.StartsWith("/profile", StringComparison.Ordinal) => null,
        (AuthFeature.TokenAccepted or AuthFeature.TokenRequired, _) when path.StartsWith("/chat/", StringComparison.Ordinal) =>
            ["404 session_not_found", "404 turn_not_found", "404 message_not_found"],
        // Audits belong to nobody, and credentials are not read.
        (null, _) when path.StartsWith("/audits/", StringComparison.Ordinal) => ["200", "204"],
        _ => ["(no rule: say here who may use it)"],
    };

    private static string? TokenOf(string caller) => caller switch
    {
        "another's" => ProfileApp.Token(ProfileApp.NewReader()),
        "expired" => ProfileApp.Token("reader", TimeSpan.FromMinutes(-1)),
        "forged" => SigningKey.Secret("not the secret of the site at all, but as long").Token(JsonSerializer.Serialize(
            new { sub = "reader", exp = DateTimeOffset.UtcNow.AddMinutes(15).ToUnixTimeSeconds() })),
        _ => null,
    };

    /// <summary>A new thing of the owner's for each request: some of the requests delete it.</summary>
    private async Task<string> OwnedIdAsync(string path)
    {
        if (!path.Contains("{id}", StringComparison.Ordinal) || path.StartsWith("/ingest/", StringComparison.Ordinal))
            return Guid.NewGuid().ToString();
        if (path.StartsWith("/audits/", StringComparison.Ordinal))
            return (await (await SendAsync("POST", "/audits", null)).JsonAsync()).GetProperty("id").GetString()!;
        var answer = await _app.AskAsync(_owner, new { message = "What is a topic?" });
        return answer.GetProperty(path.StartsWith("/api/chat/", StringComparison.Ordinal) ? "session_id" : $"{path.Split('/')[2].TrimEnd('s')}_id").GetString()!;
    }

    /// <summary>Sends the example of the route's description.</summary>
    private async Task<HttpResponseMessage> SendAsync(string method, string target, string? token)
    {
        var request = new HttpRequestMessage(new(method), target);
        if (token is not null)
            request.Headers.Authorization = new("Bearer", token);
        request.Headers.Add("Idempotency-Key", Guid.NewGuid().ToString());
        var path = string.Join('/', target.Split('/').Select(part => Guid.TryParse(part, out _) ? "{id}" : part));
        if (_document.GetProperty("paths").GetProperty(path).GetProperty(method.ToLowerInvariant()).TryGetProperty("requestBody", out var body))
        {
            var content = body.GetProperty("content").EnumerateObject().First();
            request.Content = new StringContent(content.Value.GetProperty("example").GetRawText(), new MediaTypeHeaderValue(content.Name));
        }

        return await _app.Client.SendAsync(request);
    }

    private static async Task<string> DescribeAsync(HttpResponseMessage response) => response.Content.Headers.ContentType?.MediaType == "application/problem+json"
        ? $"{(int)response.StatusCode} {(await response.JsonAsync()).GetProperty("code").GetString()}"
        : $"{(int)response.StatusCode}";
}
