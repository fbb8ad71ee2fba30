using System.Security.Claims;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Authentication;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace ChatBackend.Infrastructure.Auth;

/// <summary>The bearer value of OpenAI's clients, which always send one: a token of the site's sign-in, or a key. Without
/// <c>OPENAI_COMPATIBLE_KEY</c> any key will do, and its reader is anonymous.</summary>
internal sealed class CompatibleKeyHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, UrlEncoder encoder, TokenVerifier verifier, IOptions<AuthOptions> auth)
    // The framework would log three lines per refusal; the request's line and the response say enough.
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, NullLoggerFactory.Instance, encoder)
{
    public const string Name = "CompatibleKey";

    private TokenVerdict? _verdict;

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers.Authorization;
        var given = BearerTokenHandler.TokenIn(header);
        if (given is null && !StringValues.IsNullOrEmpty(header))
            return AuthenticateResult.Fail("The Authorization header is not of the form: Bearer <key>.");
        if (given is not null && IsKey(given))
            return AuthenticateResult.NoResult();

        // A token that is not valid (any more) is refused, and never an anonymous reader.
        if (given is not null && auth.Value.IsSignInConfigured && SignedToken.Parse(given) is not null)
        {
            _verdict = await verifier.VerifyAsync(given, Context.RequestAborted);
            return _verdict.Subject is { } subject
                ? AuthenticateResult.Success(new(new ClaimsPrincipal(new ClaimsIdentity([new Claim("sub", subject)], Name, "sub", roleType: null)), Name))
                : AuthenticateResult.Fail(_verdict.Refusal ?? "The signer's keys are unavailable.");
        }

        return auth.Value.CompatibleKeys.Length == 0 ? AuthenticateResult.NoResult() : AuthenticateResult.Fail("The key does not match.");
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        if (_verdict is { IsUnavailable: true })
            return BearerTokenHandler.SignInUnavailable().ExecuteAsync(Context);

        Response.Headers.WWWAuthenticate = "Bearer error=\"invalid_token\"";
        return Problem.Of(
            StatusCodes.Status401Unauthorized, "invalid_api_key",
            _verdict?.Refusal is { } why ? $"The token is not valid. {why}" : "Send a valid key or a token of the site's sign-in as Authorization: Bearer <key>.").ExecuteAsync(Context);
    }

    /// <summary>Compares hashes, which have equal length, with all keys: the time tells nothing.</summary>
    private bool IsKey(string given) => auth.Value.CompatibleKeys.Aggregate(
        false, (isKey, key) => isKey | CryptographicOperations.FixedTimeEquals(SHA256.HashData(Encoding.UTF8.GetBytes(key)), SHA256.HashData(Encoding.UTF8.GetBytes(given))));
}
