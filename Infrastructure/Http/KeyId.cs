namespace ChatBackend.Infrastructure.Http;

/// <summary>
/// The id of a session, a turn or a message, which is its own key. One spelling only, lower-case with hyphens:
/// five spellings of one key would pass limits and caches as five keys. Not the nil UUID, which many clients would share by mistake.
/// </summary>
internal static class KeyId
{
    public static bool TryParse(string? text, out Guid id) =>
        Guid.TryParseExact(text, "D", out id) && id.ToString("D") == text && id != Guid.Empty;
}
