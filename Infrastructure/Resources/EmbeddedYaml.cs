using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace ChatBackend.Infrastructure.Resources;

/// <summary>Reads the tables of phrases that are part of the assembly.</summary>
internal static class EmbeddedYaml
{
    /// <param name="name">The file's name. Its keys are written with underscores.</param>
    public static T Read<T>(string name) =>
        new DeserializerBuilder().WithNamingConvention(UnderscoredNamingConvention.Instance).Build().Deserialize<T>(EmbeddedText.Read(name));
}
