using System.Security.Cryptography;
using System.Text;
using ChatBackend.Infrastructure.Http;

namespace ChatBackend.Features.Chat.AiSdk;

/// <summary>The session of a chat. A chat's id is any text that its client chose, a session's id is a UUID: the same id always gives the same session.</summary>
/// <remarks>
/// A UUID is the session's own id. Any other id is hashed (UUID version 8, RFC 9562). Whoever knows the id may read the chat, so an id that could be
/// guessed is refused without a token; with one it is hashed together with the token's subject, and is another chat for each reader.
/// </remarks>
internal static class ChatId
{
    public const int MaxLength = 255;

    public const string Rule = "id must be a UUID or a random text of 16 to 255 characters; only with a token may it be shorter.";

    /// <summary>The length of the ids that the AI SDK makes: 95 random bits.</summary>
    private const int SecretLength = 16;

    private const int SecretCharacters = 8;

    /// <summary>Null if the id is not valid, or could be guessed and there is no subject.</summary>
    public static Guid? ToSession(string? id, string? subject) => id switch
    {
        null or "" or { Length: > MaxLength } => null,
        _ when KeyId.TryParse(id, out var session) => session,
        _ when IsRandom(id) => Hash("", id),
        _ => subject is null ? null : Hash(subject, id),
    };

    /// <summary>A name such as docs-assistant-chat is long, too, but has no digits or capitals.</summary>
    private static bool IsRandom(string id) =>
        id.Length >= SecretLength && id.Distinct().Count() >= SecretCharacters
        && (id.Any(char.IsAsciiDigit) ? 1 : 0) + (id.Any(char.IsAsciiLetterUpper) ? 1 : 0) + (id.Any(char.IsAsciiLetterLower) ? 1 : 0) >= 2;

    private static Guid Hash(string subject, string id)
    {
        // U+0000 is in no subject that PostgreSQL stores, so no two pairs give the same text.
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"ai-sdk chat\0{subject}\0{id}")).AsSpan(0, 16);
        hash[6] = (byte)((hash[6] & 0x0F) | 0x80);
        hash[8] = (byte)((hash[8] & 0x3F) | 0x80);
        return new(hash, bigEndian: true);
    }
}
