using System.Text.Json;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace ChatBackend.Tests.Infrastructure.Auth;

/// <summary>The service's own authentication in front of one route of each rule, on Kestrel at 127.0.0.1; no database.</summary>
internal sealed class AuthHost : IAsyncDisposable
{
    public const string Issuer = "https://book.example.org";
    public const string Audience = "https://book.example.org/api";

    private readonly WebApplication _app;
    private readonly CapturedLog _log;

    private AuthHost(WebApplication app, MovedClock clock, CapturedLog log)
    {
        (_app, Clock, _log) = (app, clock, log);
        Client = new() { BaseAddress = new(app.Urls.First()) };
    }

    public HttpClient Client { get; }

    public MovedClock Clock { get; }

    /// <summary>The warnings that were logged.</summary>
    public IReadOnlyList<string> Warnings => [.. _log.Messages];

    public static async Task<AuthHost> StartAsync(string environment, params (string Name, string? Value)[] settings)
    {
        var builder = WebApplication.CreateBuilder(new WebApplicationOptions { EnvironmentName = environment });
        // Only these: neither the machine's environment nor its user secrets.
        builder.Configuration.Sources.Clear();
        builder.Configuration.AddInMemoryCollection(settings.Select(s => KeyValuePair.Create(s.Name, s.Value)));
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.AddHttpRules();
        builder.AddAuth();
        var clock = new MovedClock();
        builder.Services.AddSingleton<TimeProvider>(clock);
        var log = new CapturedLog(LogLevel.Warning);
        builder.Logging.ClearProviders();
        builder.Logging.AddProvider(log);

        var app = builder.Build();
        app.UseHttpRules();
        app.UseAuth();
        app.MapGet("/open", (CurrentReader reader) => reader).AllowAnonymous();
        app.MapGet("/optional", (CurrentReader reader) => reader).AcceptToken();
        app.MapGet("/required", (CurrentReader reader) => reader).RequireToken();
        app.MapPost("/ingest", (JsonElement body, CurrentReader reader) => reader).RequireIngestKey();
        await app.StartAsync();
        return new(app, clock, log);
    }

    /// <summary>A site's sign-in with this key set, issuer and audience.</summary>
    public static Task<AuthHost> StartAsync(StubKeySet keySet, params (string Name, string? Value)[] settings) =>
        StartAsync("Production", [("AUTH_JWKS_URL", keySet.Url), ("AUTH_ISSUER", Issuer), ("AUTH_AUDIENCE", Audience), .. settings]);

    /// <summary>The claims of a valid token, with changes; null removes a claim.</summary>
    public string Claims(params (string Name, object? Value)[] changes)
    {
        var now = Clock.GetUtcNow().ToUnixTimeSeconds();
        var claims = new Dictionary<string, object?> { ["iss"] = Issuer, ["aud"] = Audience, ["sub"] = "reader-1", ["iat"] = now, ["exp"] = now + 900 };
        foreach (var (name, value) in changes)
            claims[name] = value;
        return JsonSerializer.Serialize(claims.Where(c => c.Value is not null).ToDictionary());
    }

    public Task<HttpResponseMessage> GetAsync(string path, string? token) => GetRawAsync(path, token is null ? null : $"Bearer {token}");

    public Task<HttpResponseMessage> GetRawAsync(string path, string? authorization)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path);
        if (authorization is not null)
            request.Headers.TryAddWithoutValidation("Authorization", authorization);
        return Client.SendAsync(request);
    }

    /// <summary>Fails unless this token makes this subject the reader.</summary>
    public async Task ExpectSubjectAsync(string token, string subject = "reader-1")
    {
        var response = await GetAsync("/required", token);
        var text = await response.Content.ReadAsStringAsync();
        Assert.True(response.IsSuccessStatusCode, text);
        Assert.Equal(subject, JsonDocument.Parse(text).RootElement.GetProperty("subject").GetString());
    }

    /// <summary>Fails unless this header is refused as a bad token on routes that need one and on those that do not.</summary>
    public async Task ExpectInvalidAsync(string authorization, string because)
    {
        foreach (var path in (string[])["/required", "/optional"])
        {
            var response = await GetRawAsync(path, authorization);
            Assert.True((int)response.StatusCode is 401, $"{because}: {(int)response.StatusCode} {await response.Content.ReadAsStringAsync()}");
            await response.ProblemAsync(401, "invalid_token");
            Assert.Equal(["Bearer error=\"invalid_token\""], response.Headers.WwwAuthenticate.Select(h => h.ToString()));
        }
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}
