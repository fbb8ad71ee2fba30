using System.Text.Json;
using ChatBackend.Infrastructure.Http;
using ChatBackend.Infrastructure.Http.Json;

namespace ChatBackend.Infrastructure.Auth;

/// <summary>The claims that a token needs (RFC 7519, 4.1; RFC 8725), which depend on the key that signed it.</summary>
/// <param name="Issuers">The <c>iss</c> that are accepted; empty for all.</param>
/// <param name="Audiences">The <c>aud</c> that are accepted; empty for all.</param>
/// <param name="MaxLifetime">The longest lifetime of a token; null for any.</param>
internal sealed record TokenRules(IReadOnlyList<string> Issuers, IReadOnlyList<string> Audiences, TimeSpan? MaxLifetime)
{
    public const int MaxSubjectLength = 128;

    public static readonly TimeSpan Skew = TimeSpan.FromSeconds(30);

    /// <summary>31 December 9999, the last day of .NET's calendar.</summary>
    private const double LastSecond = 253_402_300_799;

    public (string? Subject, string? Refusal) Check(JsonElement claims, DateTimeOffset now)
    {
        if (!TryGetTime(claims, "exp", out var expires) || !TryGetTime(claims, "nbf", out var notBefore) || !TryGetTime(claims, "iat", out var issued))
            return Refuse("exp, nbf and iat must be numbers of seconds.");
        if (expires is null)
            return Refuse("It has no exp.");

        var seconds = now.ToUnixTimeMilliseconds() / 1000.0;
        if (seconds >= expires + Skew.TotalSeconds)
            return Refuse("It has expired.");
        if (seconds < notBefore - Skew.TotalSeconds || seconds < issued - Skew.TotalSeconds)
            return Refuse("It is not valid yet.");
        if (expires - (issued ?? seconds + Skew.TotalSeconds) > MaxLifetime?.TotalSeconds)
            return Refuse($"It lives longer than {MaxLifetime.Value.TotalHours} hours.");

        if (!SignedToken.TryGetText(claims, "iss", out var issuer) || (Issuers.Count > 0 && !Issuers.Contains(issuer)))
            return Refuse("Its iss is not trusted here.");
        if (Audiences.Count > 0 && !AudiencesOf(claims).Any(Audiences.Contains))
            return Refuse("Its aud is another service.");
        if (!SignedToken.TryGetText(claims, "sub", out var subject) || string.IsNullOrWhiteSpace(subject) || subject.Length > MaxSubjectLength || !ValidationFilter.IsStorable(subject))
            return Refuse($"Its sub is not a text of 1 to {MaxSubjectLength} characters.");
        return (subject, null);
    }

    private static (string?, string?) Refuse(string why) => (null, why);

    private static IEnumerable<string?> AudiencesOf(JsonElement claims)
    {
        if (SignedToken.TryGetText(claims, "aud", out var one))
            return [one];
        return claims.GetProperty("aud") is { ValueKind: JsonValueKind.Array } several
            ? several.EnumerateArray().Select(a => a.ValueKind is JsonValueKind.String && JsonText.Fault(a) is null ? a.GetString() : null)
            : [];
    }

    /// <summary>A NumericDate: null if it is absent; false if it is not a valid time (1e400 reads as infinity).</summary>
    private static bool TryGetTime(JsonElement claims, string name, out double? seconds)
    {
        seconds = null;
        if (!claims.TryGetProperty(name, out var value))
            return true;
        if (value.ValueKind is not JsonValueKind.Number || !value.TryGetDouble(out var number) || !(number is >= 0 and <= LastSecond))
            return false;
        seconds = number;
        return true;
    }
}
