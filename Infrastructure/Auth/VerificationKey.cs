using System.Security.Cryptography;
using System.Text.Json;

namespace ChatBackend.Infrastructure.Auth;

/// <summary>A key and the one algorithm that it is for (RFC 8725, 3.1): a public key is never used as a secret of HS256.</summary>
internal sealed class VerificationKey
{
    public const string HmacSha256 = "HS256";
    public const string RsaSha256 = "RS256";
    public const string EcdsaP256 = "ES256";
    public const string EdDsa = "EdDSA";

    /// <summary>A shorter RSA key is too weak (RFC 7518, 3.3).</summary>
    private const int MinRsaBits = 2048;

    private readonly Func<byte[], byte[], bool> _verify;

    private VerificationKey(string algorithm, Func<byte[], byte[], bool> verify) => (Algorithm, _verify) = (algorithm, verify);

    public string Algorithm { get; }

    public bool Verify(byte[] message, byte[] signature) => _verify(message, signature);

    public static VerificationKey OfSecret(byte[] secret) =>
        new(HmacSha256, (message, signature) => CryptographicOperations.FixedTimeEquals(HMACSHA256.HashData(secret, message), signature));

    /// <summary>A public key of a set (RFC 7517), or null when its type or use is not supported.</summary>
    public static VerificationKey? OfJwk(JsonElement jwk)
    {
        if (Text(jwk, "use") is not (null or "sig") || IsForSomethingElse(jwk))
            return null;

        try
        {
            var key = (Text(jwk, "kty"), Text(jwk, "crv")) switch
            {
                ("RSA", _) => OfRsa(new() { Modulus = Bytes(jwk, "n"), Exponent = Bytes(jwk, "e") }),
                ("EC", "P-256") => OfEcdsa(new() { Curve = ECCurve.NamedCurves.nistP256, Q = new() { X = Bytes(jwk, "x"), Y = Bytes(jwk, "y") } }),
                ("OKP", "Ed25519") => OfEd25519(Bytes(jwk, "x")),
                _ => null,
            };
            return Text(jwk, "alg") is { } algorithm && algorithm != key?.Algorithm ? null : key;
        }
        catch (CryptographicException)
        {
            return null;
        }
    }

    // RSA and ECDsa objects are not thread-safe, and cheap to make.
    private static VerificationKey? OfRsa(RSAParameters parameters)
    {
        using var probe = RSA.Create(parameters);
        return probe.KeySize < MinRsaBits ? null : new(RsaSha256, (message, signature) =>
        {
            using var rsa = RSA.Create(parameters);
            return rsa.VerifyData(message, signature, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        });
    }

    private static VerificationKey OfEcdsa(ECParameters parameters)
    {
        using var probe = ECDsa.Create(parameters);
        return new(EcdsaP256, (message, signature) =>
        {
            using var ecdsa = ECDsa.Create(parameters);
            return ecdsa.VerifyData(message, signature, HashAlgorithmName.SHA256, DSASignatureFormat.IeeeP1363FixedFieldConcatenation);
        });
    }

    private static VerificationKey? OfEd25519(byte[]? publicKey) => publicKey is { Length: Ed25519.PublicKeyBytes } && Ed25519.IsSupported
        ? new(EdDsa, (message, signature) => Ed25519.Verify(publicKey, message, signature))
        : null;

    private static bool IsForSomethingElse(JsonElement jwk) =>
        jwk.TryGetProperty("key_ops", out var uses) && !(uses.ValueKind is JsonValueKind.Array && uses.EnumerateArray().Any(u => u.ValueKind is JsonValueKind.String && u.GetRawText() is "\"verify\""));

    private static byte[]? Bytes(JsonElement jwk, string name) => SignedToken.Decode(Text(jwk, name));

    private static string? Text(JsonElement jwk, string name) => SignedToken.TryGetText(jwk, name, out var text) ? text : "";
}
