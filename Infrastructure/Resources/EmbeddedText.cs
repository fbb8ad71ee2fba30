namespace ChatBackend.Infrastructure.Resources;

/// <summary>Text files that are compiled into the service.</summary>
internal static class EmbeddedText
{
    /// <returns>The text with lines that end in <c>\n</c>, whatever the checkout made of them.</returns>
    public static string Read(string name)
    {
        using var file = new StreamReader(typeof(EmbeddedText).Assembly.GetManifestResourceStream(name)!);
        return file.ReadToEnd().ReplaceLineEndings("\n");
    }
}
