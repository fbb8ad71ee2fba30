using System.Net;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace ChatBackend.Infrastructure.Auth;

/// <summary>The operator's key, in <c>X-API-Key</c> or as a bearer token. In development without a key, this machine is the operator's.</summary>
internal sealed class IngestKeyHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, UrlEncoder encoder, IOptions<AuthOptions> auth, IHostEnvironment environment)
    // The framework would log three lines per refusal; the request's line and the response say enough.
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, NullLoggerFactory.Instance, encoder)
{
    public const string Name = "IngestKey";

    public const string Header = "X-API-Key";

    // Proxies add these. Such a request came from another machine, even if the proxy runs on this one.
    private static readonly string[] ProxyHeaders =
        ["Forwarded", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Real-IP", "X-Original-For"];

    protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(auth.Value.IngestApiKey switch
    {
        null => environment.IsDevelopment() && IsFromThisMachine() ? Success() : AuthenticateResult.NoResult(),
        _ when Given() is null => AuthenticateResult.NoResult(),
        var key => CryptographicOperations.FixedTimeEquals(Hash(key), Hash(Given()!)) ? Success() : AuthenticateResult.Fail("The ingest key does not match."),
    });

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        var (code, detail) = auth.Value.IngestApiKey switch
        {
            null when environment.IsDevelopment() => ("ingest_key_not_configured", "Without INGEST_API_KEY this is open to this machine only. Set it, and send it as X-API-Key."),
            null => ("ingest_key_not_configured", "This is closed on this server until its operator sets INGEST_API_KEY."),
            _ when Given() is null => ("ingest_key_required", "Send the ingest key as X-API-Key: <key> or Authorization: Bearer <key>."),
            _ => ("invalid_ingest_key", "The ingest key does not match."),
        };
        Response.Headers.WWWAuthenticate = code is "invalid_ingest_key" ? "Bearer realm=\"ingest\", error=\"invalid_token\"" : "Bearer realm=\"ingest\"";
        return Problem.Of(StatusCodes.Status401Unauthorized, code, detail).ExecuteAsync(Context);
    }

    // Hashes have equal length, so that the comparison does not reveal the length of the key.
    private static byte[] Hash(string key) => SHA256.HashData(Encoding.UTF8.GetBytes(key));

    private static AuthenticateResult Success() => AuthenticateResult.Success(new(new ClaimsPrincipal(new ClaimsIdentity(Name)), Name));

    private string? Given() => Request.Headers[Header] is [{ Length: > 0 } key] ? key : BearerTokenHandler.TokenIn(Request.Headers.Authorization);

    /// <summary>True for a client on this machine, unless it is a proxy or another site's page in the developer's browser.</summary>
    private bool IsFromThisMachine() =>
        Context.Connection.RemoteIpAddress is { } peer && IPAddress.IsLoopback(peer.IsIPv4MappedToIPv6 ? peer.MapToIPv4() : peer)
        && !ProxyHeaders.Any(Request.Headers.ContainsKey)
        && IsLocal($"http://{Request.Host}")
        && (Request.Headers.Origin is not [{ } origin] || IsLocal(origin));

    private static bool IsLocal(string address) => Uri.TryCreate(address, UriKind.Absolute, out var url) && url.IsLoopback;
}
