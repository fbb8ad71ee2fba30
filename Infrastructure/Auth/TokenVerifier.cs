using System.Text;
using Microsoft.Extensions.Options;

namespace ChatBackend.Infrastructure.Auth;

/// <summary>The result for a token: its subject, why it is refused, or that the keys are unavailable.</summary>
internal sealed record TokenVerdict(string? Subject, string? Refusal = null, bool IsUnavailable = false);

/// <summary>Verifies the readers' tokens with the keys that are configured, and no others (RFC 8725).</summary>
internal sealed class TokenVerifier
{
    private readonly JsonWebKeySet? _keySet;
    private readonly TimeProvider _time;
    private readonly TokenRules _siteRules;
    private readonly (VerificationKey Key, TokenRules Rules)[] _secrets;

    public TokenVerifier(IOptions<AuthOptions> options, JsonWebKeySet keySet, TimeProvider time)
    {
        var auth = options.Value;
        _time = time;
        _keySet = auth.JwksUrl is null ? null : keySet;
        // A token cannot be revoked, so a site's may live for one day. Those of user-jwts, for development, live for 90.
        _siteRules = new(OneOrNone(auth.Issuer), OneOrNone(auth.Audience), TimeSpan.FromHours(24));
        _secrets =
        [
            .. OneOrNone(auth.Secret).Select(secret => (VerificationKey.OfSecret(Encoding.UTF8.GetBytes(secret)), _siteRules)),
            .. auth.UserJwts.SigningKeys.Select(key => OfUserJwts(auth.UserJwts, key)).OfType<(VerificationKey, TokenRules)>(),
        ];
    }

    public async ValueTask<TokenVerdict> VerifyAsync(string text, CancellationToken cancellationToken)
    {
        if (SignedToken.Parse(text) is not { } token)
            return Refuse("It is not a signed JWT of at most 8 KB without critical or key headers.");

        TokenRules? rules;
        switch (token.Algorithm)
        {
            case VerificationKey.HmacSha256 when _secrets.Length > 0:
                rules = _secrets.FirstOrDefault(s => s.Key.Verify(token.Message, token.Signature)).Rules;
                break;
            case VerificationKey.RsaSha256 or VerificationKey.EcdsaP256 or VerificationKey.EdDsa when _keySet is not null:
                if (string.IsNullOrEmpty(token.KeyId))
                    return Refuse("It has no kid.");
                if (await _keySet.FindAsync(token.KeyId, token.Algorithm, cancellationToken) is not { } key)
                    return _keySet.IsEmpty ? new(null, IsUnavailable: true) : Refuse("Its kid is not one of the signer's keys for this alg.");
                rules = key.Verify(token.Message, token.Signature) ? _siteRules : null;
                break;
            default:
                return Refuse("Its alg is not one that is accepted here.");
        }

        if (rules is null)
            return Refuse("Its signature does not match.");
        if (SignedToken.ReadObject(token.Payload) is not { } claims)
            return Refuse("Its payload is not a JSON object.");
        var (subject, refusal) = rules.Check(claims, _time.GetUtcNow());
        return new(subject, refusal);
    }

    private static TokenVerdict Refuse(string why) => new(null, why);

    private static string[] OneOrNone(string? value) => value is null ? [] : [value];

    private static (VerificationKey, TokenRules)? OfUserJwts(UserJwtsOptions options, UserJwtsKey key)
    {
        var secret = new byte[key.Value?.Length ?? 0];
        // Shorter ones are too weak for HS256 (RFC 7518, 3.2).
        if (!Convert.TryFromBase64String(key.Value ?? "", secret, out var length) || length < 32)
            return null;

        string[] issuers = key.Issuer is null ? [.. OneOrNone(options.ValidIssuer), .. options.ValidIssuers] : [key.Issuer];
        return (VerificationKey.OfSecret(secret[..length]), new(issuers, [.. OneOrNone(options.ValidAudience), .. options.ValidAudiences], MaxLifetime: null));
    }
}
