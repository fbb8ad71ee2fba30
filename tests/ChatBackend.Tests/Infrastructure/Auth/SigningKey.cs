using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace ChatBackend.Tests.Infrastructure.Auth;

/// <summary>A signer's key: makes valid and invalid tokens.</summary>
/// <param name="Algorithm">The <c>alg</c> of its tokens.</param>
/// <param name="Id">The <c>kid</c> of its tokens; null for none.</param>
/// <param name="Jwk">Its public half, as a key set has it; null for a shared secret.</param>
/// <param name="Sign">Makes a signature.</param>
internal sealed record SigningKey(string Algorithm, string? Id, JsonObject? Jwk, Func<byte[], byte[]> Sign)
{
    public static SigningKey Rsa(string id, int bits = 2048)
    {
        var rsa = RSA.Create(bits);
        var key = rsa.ExportParameters(includePrivateParameters: false);
        return new("RS256", id, new() { ["kty"] = "RSA", ["kid"] = id, ["alg"] = "RS256", ["use"] = "sig", ["n"] = Encode(key.Modulus!), ["e"] = Encode(key.Exponent!) },
            message => rsa.SignData(message, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1))
        { PublicPem = rsa.ExportSubjectPublicKeyInfoPem() };
    }

    public static SigningKey Ecdsa(string id)
    {
        var ecdsa = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var key = ecdsa.ExportParameters(includePrivateParameters: false);
        return new("ES256", id, new() { ["kty"] = "EC", ["crv"] = "P-256", ["kid"] = id, ["x"] = Encode(key.Q.X!), ["y"] = Encode(key.Q.Y!) },
            message => ecdsa.SignData(message, HashAlgorithmName.SHA256));
    }

    public static SigningKey Ed25519(string id)
    {
        var seed = RandomNumberGenerator.GetBytes(32);
        return new("EdDSA", id, new() { ["kty"] = "OKP", ["crv"] = "Ed25519", ["kid"] = id, ["x"] = Encode(Ed25519Signer.PublicKeyOf(seed)) },
            message => Ed25519Signer.Sign(seed, message));
    }

    public static SigningKey Secret(string secret) => Secret(Encoding.UTF8.GetBytes(secret));

    public static SigningKey Secret(byte[] secret) => new("HS256", Id: null, Jwk: null, message => HMACSHA256.HashData(secret, message));

    /// <summary>The RSA public key, used as a shared secret (the algorithm confusion attack).</summary>
    public string PublicPem { get; private init; } = "";

    /// <summary>A token with these parts; the header is this key's own unless told otherwise.</summary>
    public string Token(string payload, string? header = null)
    {
        header ??= Id is null ? Header(new { alg = Algorithm, typ = "JWT" }) : Header(new { alg = Algorithm, kid = Id, typ = "JWT" });
        var text = $"{Encode(Encoding.UTF8.GetBytes(header))}.{Encode(Encoding.UTF8.GetBytes(payload))}";
        return $"{text}.{Encode(Sign(Encoding.ASCII.GetBytes(text)))}";
    }

    public static string Header(object header) => JsonSerializer.Serialize(header);

    public static string Encode(byte[] bytes) => Base64Url.EncodeToString(bytes);

    /// <summary>The JSON of a key set with these keys.</summary>
    public static string SetOf(params IEnumerable<SigningKey> keys) =>
        new JsonObject { ["keys"] = new JsonArray([.. keys.Select(k => k.Jwk!.DeepClone())]) }.ToJsonString();
}
