using System.Text;

namespace ChatBackend.Infrastructure.Search;

/// <summary>The address of a page, percent-encoded for a link.</summary>
internal static class PageUrl
{
    public static string WithAnchor(string url, string? anchor) =>
        string.IsNullOrEmpty(anchor) ? url : $"{url}#{Encode(anchor)}";

    /// <summary>Like JavaScript's <c>encodeURI</c>, but it also encodes <c>?</c> and <c>#</c>, which are part of a name in a path.</summary>
    public static string Encode(string path)
    {
        const string Kept = "-_.!~*'();,/:@&=+$";

        var encoded = new StringBuilder(path.Length);
        Span<byte> bytes = stackalloc byte[4];

        for (var index = 0; index < path.Length; index++)
        {
            var character = path[index];
            if (char.IsAsciiLetterOrDigit(character) || Kept.Contains(character) || IsEscape(path, index))
            {
                encoded.Append(character);
                continue;
            }

            Rune.DecodeFromUtf16(path.AsSpan(index), out var rune, out var length);
            foreach (var one in bytes[..rune.EncodeToUtf8(bytes)])
                encoded.Append('%').Append(one.ToString("X2"));
            index += length - 1;
        }

        return encoded.ToString();
    }

    // An existing percent-encoding is kept, as in Docusaurus.
    private static bool IsEscape(string path, int index) =>
        path[index] == '%' && index + 2 < path.Length && char.IsAsciiHexDigit(path[index + 1]) && char.IsAsciiHexDigit(path[index + 2]);
}
