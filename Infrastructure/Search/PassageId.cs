namespace ChatBackend.Infrastructure.Search;

/// <summary>The id of a passage, the same in every index. It does not depend on the passage's position or address.</summary>
internal static class PassageId
{
    /// <summary>Our namespace: the version 5 UUID of <c>chatbackend.passages</c> in RFC 9562's namespace for domain names.</summary>
    private static readonly Guid Namespace = UuidVersion5.Create(new("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), "chatbackend.passages");

    /// <param name="repetition">How many passages of the document before it have the same headings and text.</param>
    public static Guid Of(string path, Chunk chunk, int repetition = 0) =>
        UuidVersion5.Create(Namespace, $"{path}\n{string.Join(StoredText.Separator, chunk.HeadingPath)}\n{repetition}\n{chunk.Text}");

    /// <summary>The same for the same text under the same headings, wherever it is in the book.</summary>
    /// <param name="model">The embedding model; empty for none.</param>
    public static Guid OfContent(string text, string model) => UuidVersion5.Create(Namespace, $"{model}\n{text}");
}
