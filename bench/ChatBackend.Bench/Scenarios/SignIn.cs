using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace ChatBackend.Bench.Scenarios;

/// <summary>Makes the readers' tokens. The service that is started shares the secret; one that runs already needs it as its AUTH_SECRET.</summary>
internal static class SignIn
{
    public const string Secret = "a secret for benchmarks, and nothing else";

    public static string Token(string subject)
    {
        var now = DateTimeOffset.UtcNow;
        var text = $"{Encode("""{"alg":"HS256","typ":"JWT"}""")}.{Encode(JsonSerializer.Serialize(new { sub = subject, iat = now.ToUnixTimeSeconds(), exp = now.AddHours(12).ToUnixTimeSeconds() }))}";
        return $"{text}.{Base64Url.EncodeToString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(Secret), Encoding.ASCII.GetBytes(text)))}";
    }

    private static string Encode(string json) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(json));
}
