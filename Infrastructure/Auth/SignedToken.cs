using System.Buffers.Text;
using System.Text;
using System.Text.Json;

namespace ChatBackend.Infrastructure.Auth;

/// <summary>A JWT in the compact serialization of a JWS (RFC 7515, 7519), parsed and not yet verified.</summary>
/// <param name="Payload">The claims' JSON. Read it only after the signature is verified.</param>
internal sealed record SignedToken(string Algorithm, string? KeyId, byte[] Message, byte[] Signature, byte[] Payload)
{
    /// <summary>The longest token that is parsed: 8 KB.</summary>
    public const int MaxLength = 8 * 1024;

    // Keys that a token contains or links to are never used, and critical extensions are not supported.
    private static readonly string[] Refused = ["crit", "jwk", "jku", "x5u", "x5c", "b64", "zip"];

    private static readonly JsonDocumentOptions Strict = new() { MaxDepth = 16, AllowDuplicateProperties = false };

    public static SignedToken? Parse(string text)
    {
        if (text.Length > MaxLength || text.Split('.') is not [var head, var body, var tail])
            return null;
        if (Decode(body) is not { } payload || Decode(tail) is not { } signature || ReadObject(Decode(head)) is not { } header)
            return null;
        if (Refused.Any(name => header.TryGetProperty(name, out _)))
            return null;
        if (!TryGetText(header, "alg", out var algorithm) || algorithm is null || !TryGetText(header, "kid", out var keyId))
            return null;
        // Explicit typing (RFC 8725, 3.11): a logout token or a proof of possession may be signed with the same key.
        if (!TryGetText(header, "typ", out var type) || type?.ToUpperInvariant() is not (null or "JWT" or "AT+JWT" or "APPLICATION/AT+JWT"))
            return null;

        return new(algorithm, keyId, Encoding.ASCII.GetBytes(text, 0, head.Length + 1 + body.Length), signature, payload);
    }

    public static JsonElement? ReadObject(byte[]? json)
    {
        try
        {
            using var document = JsonDocument.Parse(json, Strict);
            return document.RootElement.ValueKind is JsonValueKind.Object ? document.RootElement.Clone() : null;
        }
        // The reader throws InvalidOperationException for a name with an unpaired surrogate.
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            return null;
        }
    }

    /// <summary>A string member of an object: null if it is absent; false if it is not a string.</summary>
    public static bool TryGetText(JsonElement json, string name, out string? text)
    {
        text = null;
        if (!json.TryGetProperty(name, out var value))
            return true;
        if (value.ValueKind is not JsonValueKind.String)
            return false;

        try
        {
            text = value.GetString();
            return true;
        }
        catch (InvalidOperationException)
        {
            return false;
        }
    }

    /// <summary>Base64url without padding in its one canonical spelling (RFC 7515, 2), or null.</summary>
    public static byte[]? Decode(string? text)
    {
        if (text is null || !Base64Url.IsValid(text))
            return null;
        var bytes = Base64Url.DecodeFromChars(text);
        return Base64Url.EncodeToString(bytes) == text ? bytes : null;
    }
}
