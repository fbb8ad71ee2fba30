namespace ChatBackend.Features.Translate.Translating;

internal sealed class TranslateOptions
{
    /// <summary>The name of a file in the form of <see cref="Infrastructure.Configuration.GlossaryFile"/>, which was checked at the start; null for none.</summary>
    [ConfigurationKeyName("GLOSSARY")]
    public string? Glossary { get; set; }

    /// <summary><c>comment</c> or <c>classic</c>.</summary>
    [ConfigurationKeyName("HEADING_IDS")]
    public string HeadingIds { get; set; } = "comment";
}
