using System.Collections.Concurrent;
using Microsoft.Extensions.Options;

namespace ChatBackend.Features.Translate.Translating;

/// <summary>The service's glossary for each language: the built-in names, and the terms of the file that <c>GLOSSARY</c> names.</summary>
internal sealed class Glossaries(IOptions<TranslateOptions> options)
{
    private readonly string _file = options.Value.Glossary is { } path ? File.ReadAllText(path) : "";
    private readonly ConcurrentDictionary<string, Glossary> _glossaries = new(StringComparer.Ordinal);

    /// <param name="targetLanguage">As <see cref="LanguageTag.Parse"/> gives it.</param>
    public Glossary For(string targetLanguage) =>
        _glossaries.GetOrAdd(targetLanguage, language => Glossary.BuiltIn.With(Glossary.Parse(_file, language)));
}
