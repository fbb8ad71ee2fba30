using System.Security.Claims;
using System.Text.Encodings.Web;
using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using Microsoft.Extensions.Primitives;

namespace ChatBackend.Infrastructure.Auth;

/// <summary>Bearer tokens (RFC 6750) of the site's sign-in. The JwtBearer package cannot verify Ed25519, which many sign-ins use.</summary>
internal sealed class BearerTokenHandler(
    IOptionsMonitor<AuthenticationSchemeOptions> options, UrlEncoder encoder, TokenVerifier verifier, IOptions<AuthOptions> auth)
    // The framework would log three lines per refusal; the request's line and the response say enough.
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, NullLoggerFactory.Instance, encoder)
{
    public const string Name = "Bearer";

    private TokenVerdict? _verdict;

    /// <summary>The token after <c>Bearer</c>; null unless there is exactly one header of that form.</summary>
    public static string? TokenIn(StringValues authorization) =>
        authorization is [{ } value] && value.StartsWith($"{Name} ", StringComparison.OrdinalIgnoreCase) ? value[(Name.Length + 1)..].Trim(' ') : null;

    public static ProblemHttpResult SignInUnavailable() => Problem.Of(
        StatusCodes.Status503ServiceUnavailable, "sign_in_unavailable",
        "The keys of the sign-in cannot be fetched, so the token cannot be checked. Try again shortly.", JsonWebKeySet.Pause);

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers.Authorization;
        if (StringValues.IsNullOrEmpty(header))
            return AuthenticateResult.NoResult();

        // Any other Authorization header is an error, never an anonymous reader.
        _verdict = TokenIn(header) is { } token
            ? await verifier.VerifyAsync(token, Context.RequestAborted)
            : new(null, "The Authorization header is not of the form: Bearer <token>.");
        if (_verdict.Subject is not { } subject)
            return AuthenticateResult.Fail(_verdict.Refusal ?? "The signer's keys are unavailable.");

        // Only the subject: the other claims about the user are not needed.
        var identity = new ClaimsIdentity([new Claim("sub", subject)], Name, "sub", roleType: null);
        return AuthenticateResult.Success(new(new ClaimsPrincipal(identity), Name));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        if (_verdict is { IsUnavailable: true })
            return SignInUnavailable().ExecuteAsync(Context);

        Response.Headers.WWWAuthenticate = _verdict is null ? "Bearer" : "Bearer error=\"invalid_token\"";
        var (code, detail) = _verdict switch
        {
            _ when !auth.Value.IsSignInConfigured => ("sign_in_not_configured", "Sign-in is not set up on this server, so it takes no tokens. Its operator sets AUTH_JWKS_URL or AUTH_SECRET."),
            null => ("token_required", "Sign in, and send the token as Authorization: Bearer <token>."),
            { Refusal: var why } => ("invalid_token", $"The token is not valid. {why}"),
        };
        return Problem.Of(StatusCodes.Status401Unauthorized, code, detail).ExecuteAsync(Context);
    }
}
