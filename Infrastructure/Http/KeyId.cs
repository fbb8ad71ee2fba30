namespace ChatBackend.Infrastructure.Http;

/// <summary>
/// Parses the id of a session, turn or message. The id gives access, so only one spelling is valid (lower case, hyphens): otherwise
/// limits and caches would take one id for several. The nil UUID is refused, as many clients would share it.
/// </summary>
internal static class KeyId
{
    public static bool TryParse(string? text, out Guid id) =>
        Guid.TryParseExact(text, "D", out id) && id.ToString("D") == text && id != Guid.Empty;
}
