namespace ChatBackend.Infrastructure.Search;

/// <summary>The id of a passage, the same in every index: it depends on the path, the position and the text only.</summary>
internal static class PassageId
{
    /// <summary>Our namespace: the version 5 UUID of <c>chatbackend.passages</c> in RFC 9562's namespace for domain names.</summary>
    private static readonly Guid Namespace = UuidVersion5.Create(new("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), "chatbackend.passages");

    public static Guid Of(string path, Chunk chunk) => UuidVersion5.Create(Namespace, $"{path}\n{chunk.Position}\n{chunk.Text}");
}
