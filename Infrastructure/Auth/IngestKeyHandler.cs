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

/// <summary>One of the operator's keys, in <c>X-API-Key</c> or as a bearer token. In development without a key, this machine is the operator's.</summary>
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

    // Names under which clients of other services send a key in the address.
    private static readonly string[] QueryNames = ["api_key", "apikey", Header, "key", "ingest_key", "INGEST_API_KEY", "access_token", "token"];

    private readonly string[] _keys = auth.Value.IngestKeys;

    protected override Task<AuthenticateResult> HandleAuthenticateAsync() => Task.FromResult(_keys switch
    {
        [] => environment.IsDevelopment() && IsFromThisMachine() ? Success() : AuthenticateResult.NoResult(),
        _ when IsInQuery() => AuthenticateResult.Fail("The ingest key is in the query string."),
        _ when Given() is null => AuthenticateResult.NoResult(),
        _ => IsValid(Given()!) ? Success() : AuthenticateResult.Fail("The ingest key does not match."),
    });

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        var (code, detail) = _keys switch
        {
            [] when environment.IsDevelopment() => ("ingest_key_not_configured", "Without INGEST_API_KEY this is open to this machine only. Set it, and send it as X-API-Key."),
            [] => ("ingest_key_not_configured", "This is closed on this server until its operator sets INGEST_API_KEY."),
            _ when IsInQuery() => ("ingest_key_in_query", "Send the ingest key as X-API-Key: <key>, never in the address: addresses are kept in logs. Replace a key that was sent there."),
            _ when Given() is null => ("ingest_key_required", "Send the ingest key as X-API-Key: <key> or Authorization: Bearer <key>."),
            _ => ("invalid_ingest_key", "The ingest key does not match."),
        };
        Response.Headers.WWWAuthenticate = code is "invalid_ingest_key" ? "Bearer realm=\"ingest\", error=\"invalid_token\"" : "Bearer realm=\"ingest\"";
        return Problem.Of(StatusCodes.Status401Unauthorized, code, detail).ExecuteAsync(Context);
    }

    /// <summary>Compares with all keys, so that the time does not tell which one matched.</summary>
    private bool IsValid(string given)
    {
        var hash = Hash(given);
        return _keys.Aggregate(false, (isValid, key) => isValid | CryptographicOperations.FixedTimeEquals(Hash(key), hash));
    }

    /// <summary>Proxies and browsers keep addresses, so a key there is refused even beside a valid header.</summary>
    private bool IsInQuery() => Request.Query.Any(q => QueryNames.Contains(q.Key, StringComparer.OrdinalIgnoreCase) || q.Value.Any(v => v is not null && IsValid(v)));

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
