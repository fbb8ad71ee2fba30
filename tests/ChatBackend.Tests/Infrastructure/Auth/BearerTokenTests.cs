using System.Net;
using System.Security.Cryptography;
using System.Text;

namespace ChatBackend.Tests.Infrastructure.Auth;

public sealed class BearerTokenTests : IAsyncLifetime
{
    private const string Secret = "a secret of the site, longer than 32 bytes";

    // Generating RSA keys is slow, so all tests share one set.
    private static readonly SigningKey Rsa = SigningKey.Rsa("rsa-1");
    private static readonly SigningKey Ecdsa = SigningKey.Ecdsa("ec-1");
    private static readonly SigningKey EdDsa = SigningKey.Ed25519("ed-1");
    private static readonly SigningKey Hmac = SigningKey.Secret(Secret);

    private StubKeySet _keySet = null!;
    private AuthHost _host = null!;

    public async ValueTask InitializeAsync()
    {
        _keySet = await StubKeySet.StartAsync(Rsa, Ecdsa, EdDsa);
        _host = await AuthHost.StartAsync(_keySet, ("AUTH_SECRET", Secret));
    }

    public async ValueTask DisposeAsync()
    {
        await _host.DisposeAsync();
        await _keySet.DisposeAsync();
    }

    [Fact]
    public async Task Good_tokens_of_every_algorithm_are_accepted()
    {
        foreach (var key in (SigningKey[])[EdDsa, Ecdsa, Rsa, Hmac])
        {
            await _host.ExpectSubjectAsync(key.Token(_host.Claims()));
            await _host.ExpectSubjectAsync(key.Token(_host.Claims(("aud", new[] { "https://other.example", AuthHost.Audience }))));
            await _host.ExpectSubjectAsync(key.Token(_host.Claims(("sub", new string('s', 128)))), new('s', 128));
            await _host.ExpectSubjectAsync(key.Token(_host.Claims(("iat", null))));
            Assert.Equal("reader-1", (await (await _host.GetAsync("/optional", key.Token(_host.Claims()))).JsonAsync()).GetProperty("subject").GetString());
        }

        Assert.Equal(HttpStatusCode.OK, (await _host.GetRawAsync("/required", $"bEARER {EdDsa.Token(_host.Claims())}")).StatusCode);
        Assert.Equal(1, _keySet.Fetches);
    }

    [Fact]
    public async Task Forged_and_damaged_tokens_are_401_and_never_500()
    {
        var now = _host.Clock.GetUtcNow().ToUnixTimeSeconds();
        var good = EdDsa.Token(_host.Claims());
        var parts = good.Split('.');
        string Ed(string payload) => EdDsa.Token(payload);
        string EdHeader(object header) => EdDsa.Token(_host.Claims(), SigningKey.Header(header));
        string With(string name, object? value) => Ed(_host.Claims((name, value)));
        string Raw(string name, string json) => Ed(_host.Claims((name, null)).TrimEnd('}') + $",\"{name}\":{json}}}");
        var unsigned = $"{B64("{\"alg\":\"none\"}")}.{parts[1]}";
        var stranger = SigningKey.Ed25519("ed-1");
        var pem = SigningKey.Secret(Rsa.PublicPem);
        var modulus = SigningKey.Secret(Rsa.Jwk!["n"]!.GetValue<string>());
        var deep = string.Concat(Enumerable.Repeat("[", 5000)) + string.Concat(Enumerable.Repeat("]", 5000));

        (string Why, string Token)[] forged =
        [
            ("alg none, no signature", $"{unsigned}."),
            ("alg none, a signature", $"{unsigned}.{parts[2]}"),
            ("alg None", $"{B64("{\"alg\":\"None\"}")}.{parts[1]}."),
            ("alg missing", EdHeader(new { kid = "ed-1" })),
            ("alg a number", EdHeader(new { alg = 1, kid = "ed-1" })),
            ("alg null", EdHeader(new { alg = (string?)null, kid = "ed-1" })),
            ("alg in lower case", EdHeader(new { alg = "eddsa", kid = "ed-1" })),
            ("rs256 in lower case", Rsa.Token(_host.Claims(), SigningKey.Header(new { alg = "rs256", kid = "rsa-1" }))),
            ("hs256 in lower case", Hmac.Token(_host.Claims(), SigningKey.Header(new { alg = "hs256" }))),
            ("alg RS256 for an OKP key", EdHeader(new { alg = "RS256", kid = "ed-1" })),
            ("alg ES256 for an OKP key", EdHeader(new { alg = "ES256", kid = "ed-1" })),
            ("alg EdDSA for an RSA key", Rsa.Token(_host.Claims(), SigningKey.Header(new { alg = "EdDSA", kid = "rsa-1" }))),
            ("alg PS256 for an RSA key", Rsa.Token(_host.Claims(), SigningKey.Header(new { alg = "PS256", kid = "rsa-1" }))),
            ("alg RS512 for an RSA key", Rsa.Token(_host.Claims(), SigningKey.Header(new { alg = "RS512", kid = "rsa-1" }))),
            ("HS256 with the RSA public key in PEM", pem.Token(_host.Claims(), SigningKey.Header(new { alg = "HS256", kid = "rsa-1" }))),
            ("HS256 with the RSA modulus", modulus.Token(_host.Claims(), SigningKey.Header(new { alg = "HS256", kid = "rsa-1" }))),
            ("HS256 with an empty secret", SigningKey.Secret(Array.Empty<byte>()).Token(_host.Claims())),
            ("HS384", Hmac.Token(_host.Claims(), SigningKey.Header(new { alg = "HS384" }))),
            ("kid missing", EdHeader(new { alg = "EdDSA" })),
            ("kid empty", EdHeader(new { alg = "EdDSA", kid = "" })),
            ("kid unknown", EdHeader(new { alg = "EdDSA", kid = "ed-2" })),
            ("kid of another key", EdHeader(new { alg = "EdDSA", kid = "ec-1" })),
            ("kid a number", EdHeader(new { alg = "EdDSA", kid = 1 })),
            ("kid a path", EdHeader(new { alg = "EdDSA", kid = "../../dev/null" })),
            ("kid SQL", EdHeader(new { alg = "EdDSA", kid = "' or 1=1 --" })),
            ("crit", EdHeader(new { alg = "EdDSA", kid = "ed-1", crit = new[] { "exp" } })),
            ("crit empty", EdHeader(new { alg = "EdDSA", kid = "ed-1", crit = Array.Empty<string>() })),
            ("an unencoded payload", EdHeader(new { alg = "EdDSA", kid = "ed-1", b64 = false })),
            ("a stranger's key under our kid", stranger.Token(_host.Claims())),
            ("an embedded jwk", stranger.Token(_host.Claims(), SigningKey.Header(new { alg = "EdDSA", kid = "ed-1", jwk = stranger.Jwk }))),
            ("a jku", stranger.Token(_host.Claims(), SigningKey.Header(new { alg = "EdDSA", kid = "ed-1", jku = "https://evil.example/jwks" }))),
            ("an x5u", EdHeader(new { alg = "EdDSA", kid = "ed-1", x5u = "https://evil.example/cert" })),
            ("a logout token", EdHeader(new { alg = "EdDSA", kid = "ed-1", typ = "logout+jwt" })),
            ("the header an array", EdDsa.Token(_host.Claims(), "[]")),
            ("a header twice", EdDsa.Token(_host.Claims(), """{"alg":"none","alg":"EdDSA","kid":"ed-1"}""")),
            ("a tampered payload", $"{parts[0]}.{B64(_host.Claims(("sub", "admin")))}.{parts[2]}"),
            ("a tampered signature", $"{parts[0]}.{parts[1]}.{(parts[2][0] == 'A' ? 'B' : 'A')}{parts[2][1..]}"),
            ("a signature of another token", $"{parts[0]}.{parts[1]}.{With("sub", "other").Split('.')[2]}"),
            ("the signature in another spelling", $"{parts[0]}.{parts[1]}.{parts[2][..^1]}{(char)(parts[2][^1] + 1)}"),
            ("the signature missing", $"{parts[0]}.{parts[1]}."),
            ("two parts", $"{parts[0]}.{parts[1]}"),
            ("one part", parts[0]),
            ("four parts", $"{good}.{parts[2]}"),
            ("five parts, as encrypted", $"{good}.{parts[1]}.{parts[2]}"),
            ("dots", ".."),
            ("the end cut off", good[..^1]),
            ("a signature cut in half", $"{parts[0]}.{parts[1]}.{parts[2][..40]}"),
            ("padding", $"{parts[0]}.{parts[1]}.{parts[2]}=="),
            ("bad base64", $"{parts[0]}.!!!!.{parts[2]}"),
            ("plain base64's alphabet", $"{parts[0]}.+/+/.{parts[2]}"),
            ("spaces inside", $"{parts[0]}. {parts[1]}.{parts[2]}"),
            ("a zero length ES256 signature", $"{B64("{\"alg\":\"ES256\",\"kid\":\"ec-1\"}")}.{parts[1]}."),
            ("an ES256 signature of zeros (CVE-2022-21449)", $"{B64("{\"alg\":\"ES256\",\"kid\":\"ec-1\"}")}.{parts[1]}.{SigningKey.Encode(new byte[64])}"),
            ("an ES256 signature in DER", Der(_host.Claims())),
            ("an RS256 signature of one byte", $"{B64("{\"alg\":\"RS256\",\"kid\":\"rsa-1\"}")}.{parts[1]}.AA"),
            ("iss of another", With("iss", "https://evil.example")),
            ("iss with a slash more", With("iss", AuthHost.Issuer + "/")),
            ("iss missing", With("iss", null)),
            ("iss an array", With("iss", new[] { AuthHost.Issuer })),
            ("aud of another", With("aud", "https://other.example")),
            ("aud missing", With("aud", null)),
            ("aud an empty array", With("aud", Array.Empty<string>())),
            ("aud an array of others", With("aud", new object?[] { "https://other.example", 1, null })),
            ("aud an object", With("aud", new { a = AuthHost.Audience })),
            ("exp missing", With("exp", null)),
            ("exp null", Raw("exp", "null")),
            ("exp a text", With("exp", $"{now + 900}")),
            ("exp 1e400", Raw("exp", "1e400")),
            ("exp -1e400", Raw("exp", "-1e400")),
            ("exp 1e308", Raw("exp", "1e308")),
            ("exp of 400 digits", Raw("exp", new('9', 400))),
            ("exp negative", With("exp", -1)),
            ("exp beyond the skew", With("exp", now - 31)),
            ("exp in milliseconds", With("exp", (now + 900) * 1000)),
            ("nbf in the future", With("nbf", now + 60)),
            ("nbf a text", With("nbf", "soon")),
            ("nbf 1e400", Raw("nbf", "1e400")),
            ("iat in the future", With("iat", now + 60)),
            ("a life of 25 hours", With("exp", now + (25 * 3600))),
            ("a life of 25 hours without iat", Ed(_host.Claims(("exp", now + (25 * 3600)), ("iat", null)))),
            ("a shared secret's life of 25 hours", Hmac.Token(_host.Claims(("exp", now + (25 * 3600))))),
            ("sub missing", With("sub", null)),
            ("sub empty", With("sub", "")),
            ("sub blank", With("sub", " ")),
            ("sub of 129 characters", With("sub", new string('s', 129))),
            ("sub an array", With("sub", new[] { "reader-1" })),
            ("sub a number", With("sub", 42)),
            ("sub with U+0000", With("sub", "a\0b")),
            ("sub with half a surrogate pair", Raw("sub", "\"\\ud800\"")),
            ("a name with half a surrogate pair", Ed(_host.Claims().TrimEnd('}') + ",\"\\ud800\":1}")),
            ("a claim twice", Ed(_host.Claims().TrimEnd('}') + ",\"sub\":\"admin\"}")),
            ("payload an array", Ed("[]")),
            ("payload a text", Ed("\"sub\"")),
            ("payload null", Ed("null")),
            ("payload empty", Ed("")),
            ("payload no JSON", Ed("{")),
            ("payload deep JSON", Raw("deep", deep[..100] + deep[^100..])),
            ("a token of 9 KB", With("pad", new string('x', 9 * 1024))),
            ("a key set's JSON", SigningKey.SetOf(EdDsa)),
        ];

        Assert.True(forged.Length >= 40);
        foreach (var (why, token) in forged)
            await _host.ExpectInvalidAsync($"Bearer {token}", why);

        foreach (var header in (string[])["Bearer", "Bearer ", $"Bearer{good}", good, $"Basic {B64("reader:secret")}", $"Bearer {good} {good}", $"Bearer {good}, Bearer {good}", $"Token {good}"])
            await _host.ExpectInvalidAsync(header, header);
        await _host.ExpectSubjectAsync(good);
        Assert.Equal(1, _keySet.Fetches);

        static string B64(string text) => SigningKey.Encode(Encoding.UTF8.GetBytes(text));
    }

    [Fact]
    public async Task Invalid_UTF8_is_401()
    {
        byte[] payload = [.. Encoding.UTF8.GetBytes(_host.Claims().TrimEnd('}') + ",\"x\":\""), 0xff, .. "\"}"u8];
        var text = $"{SigningKey.Encode("{\"alg\":\"EdDSA\",\"kid\":\"ed-1\"}"u8.ToArray())}.{SigningKey.Encode(payload)}";
        var whole = $"{text}.{SigningKey.Encode(EdDsa.Sign(Encoding.ASCII.GetBytes(text)))}";

        Assert.NotEqual(HttpStatusCode.InternalServerError, (await _host.GetAsync("/required", whole)).StatusCode);
        payload = [.. Encoding.UTF8.GetBytes(_host.Claims(("sub", null)).TrimEnd('}') + ",\"sub\":\""), 0xff, .. "\"}"u8];
        text = $"{SigningKey.Encode("{\"alg\":\"EdDSA\",\"kid\":\"ed-1\"}"u8.ToArray())}.{SigningKey.Encode(payload)}";
        await _host.ExpectInvalidAsync($"Bearer {text}.{SigningKey.Encode(EdDsa.Sign(Encoding.ASCII.GetBytes(text)))}", "sub of invalid UTF-8");
    }

    [Fact]
    public async Task Clocks_may_be_30_seconds_apart_and_no_more()
    {
        _host.Clock.StopAt(DateTimeOffset.FromUnixTimeSeconds(1_900_000_000));
        await _host.ExpectSubjectAsync(EdDsa.Token(_host.Claims(("exp", 1_900_000_000 - 29.99))));
        await _host.ExpectInvalidAsync($"Bearer {EdDsa.Token(_host.Claims(("exp", 1_900_000_000 - 30)))}", "exp 30 s ago");
        await _host.ExpectSubjectAsync(EdDsa.Token(_host.Claims(("nbf", 1_900_000_030))));
        await _host.ExpectInvalidAsync($"Bearer {EdDsa.Token(_host.Claims(("nbf", 1_900_000_030.5)))}", "nbf in 30.5 s");
        await _host.ExpectSubjectAsync(EdDsa.Token(_host.Claims(("exp", 1_900_000_000 + 86_400))));

        var token = EdDsa.Token(_host.Claims(("exp", 1_900_000_100)));
        await _host.ExpectSubjectAsync(token);
        _host.Clock.Move(TimeSpan.FromSeconds(131));
        await _host.ExpectInvalidAsync($"Bearer {token}", "expired meanwhile");
    }

    [Fact]
    public async Task The_token_is_optional_where_the_route_says_so_and_needed_where_it_says_that()
    {
        Assert.Equal("""{"subject":null}""", await (await _host.GetAsync("/optional", null)).Content.ReadAsStringAsync());

        var refused = await _host.GetAsync("/required", null);
        await refused.ProblemAsync(401, "token_required");
        Assert.Equal(["Bearer"], refused.Headers.WwwAuthenticate.Select(h => h.ToString()));

        // A route without a policy ignores credentials.
        Assert.Equal("""{"subject":null}""", await (await _host.GetAsync("/open", "nonsense")).Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task Two_Authorization_headers_are_refused()
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/optional");
        request.Headers.TryAddWithoutValidation("Authorization", [$"Bearer {EdDsa.Token(_host.Claims())}", "Bearer x"]);

        await (await _host.Client.SendAsync(request)).ProblemAsync(401, "invalid_token");
    }

    [Theory]
    [InlineData("Production")]
    [InlineData("Development")]
    public async Task Without_sign_in_a_token_is_refused_with_the_reason(string environment)
    {
        await using var host = await AuthHost.StartAsync(environment);

        Assert.Equal(HttpStatusCode.OK, (await host.GetAsync("/optional", null)).StatusCode);
        await (await host.GetAsync("/required", null)).ProblemAsync(401, "sign_in_not_configured");
        await (await host.GetAsync("/optional", EdDsa.Token(host.Claims()))).ProblemAsync(401, "sign_in_not_configured");
        Assert.Equal(environment is "Production", host.Warnings.Any(w => w.Contains("sign-in is off", StringComparison.Ordinal)));
        Assert.Equal(environment is "Production", host.Warnings.Any(w => w.Contains("INGEST_API_KEY", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task Without_an_issuer_and_audience_any_of_the_signers_tokens_is_taken_with_a_warning()
    {
        await using var host = await AuthHost.StartAsync("Production", ("AUTH_SECRET", Secret));

        await host.ExpectSubjectAsync(Hmac.Token(host.Claims(("iss", null), ("aud", null))));
        await host.ExpectInvalidAsync($"Bearer {EdDsa.Token(host.Claims())}", "no key set is configured");
        Assert.Contains(host.Warnings, w => w.Contains("AUTH_AUDIENCE", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_a_secret_no_HS256_token_is_taken()
    {
        await using var host = await AuthHost.StartAsync(_keySet);

        await host.ExpectInvalidAsync($"Bearer {Hmac.Token(host.Claims())}", "no secret is configured");
        await host.ExpectInvalidAsync($"Bearer {SigningKey.Secret("").Token(host.Claims())}", "an empty secret");
    }

    [Fact]
    public async Task Tokens_of_dotnet_user_jwts_are_accepted_for_their_90_days()
    {
        var secret = RandomNumberGenerator.GetBytes(32);
        await using var host = await AuthHost.StartAsync(
            "Development",
            ("Authentication:Schemes:Bearer:ValidIssuer", "dotnet-user-jwts"),
            ("Authentication:Schemes:Bearer:ValidAudiences:0", "http://localhost:8000"),
            ("Authentication:Schemes:Bearer:SigningKeys:0:Id", "e662c34a"),
            ("Authentication:Schemes:Bearer:SigningKeys:0:Issuer", "dotnet-user-jwts"),
            ("Authentication:Schemes:Bearer:SigningKeys:0:Value", Convert.ToBase64String(secret)),
            ("Authentication:Schemes:Bearer:SigningKeys:0:Length", "32"),
            ("Authentication:Schemes:Bearer:SigningKeys:1:Value", "not base64"),
            ("AUTH_ISSUER", AuthHost.Issuer));
        var developer = SigningKey.Secret(secret);
        var exp = host.Clock.GetUtcNow().AddDays(90).ToUnixTimeSeconds();
        string Token(string issuer, string audience) => developer.Token(host.Claims(("iss", issuer), ("aud", audience), ("exp", exp), ("unique_name", "root")));

        await host.ExpectSubjectAsync(Token("dotnet-user-jwts", "http://localhost:8000"));
        await host.ExpectInvalidAsync($"Bearer {Token(AuthHost.Issuer, "http://localhost:8000")}", "the site's issuer under a developer's key");
        await host.ExpectInvalidAsync($"Bearer {Token("dotnet-user-jwts", "http://localhost:9")}", "another audience");
        // Any lifetime is allowed here, but infinity is not a valid time.
        var endless = host.Claims(("iss", "dotnet-user-jwts"), ("aud", "http://localhost:8000"), ("exp", null)).TrimEnd('}') + ",\"exp\":1e400}";
        await host.ExpectInvalidAsync($"Bearer {developer.Token(endless)}", "exp 1e400");
    }

    private static string Der(string claims)
    {
        using var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        return (Ecdsa with { Sign = message => ecdsa.SignData(message, HashAlgorithmName.SHA256, DSASignatureFormat.Rfc3279DerSequence) }).Token(claims);
    }
}
