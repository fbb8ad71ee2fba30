using System.Text.Json;
using System.Text.RegularExpressions;
using ChatBackend.Features.Translate.Translating;
using ChatBackend.Tests.Features.Translate.Documents;
using ChatBackend.Tests.Infrastructure.Ai.OpenAi;

namespace ChatBackend.Tests.Features.Translate.Book;

/// <summary>What a model's server answers to a call for translations: what is in <c>urdu.json</c>, and else words in Urdu's letters that mean nothing.</summary>
internal static class UrduModel
{
    private static readonly Dictionary<string, string> Written = JsonSerializer.Deserialize<Dictionary<string, string>>(
        Repository.Text("tests/ChatBackend.Tests/Features/Translate/Book/urdu.json"))!;

    /// <summary>For <see cref="StubOpenAi.Default"/>.</summary>
    public static string Answer(StubRequest request) =>
        JsonSerializer.Serialize(new { segments = TextsOf(request).Select((text, index) => new { id = index + 1, text = Translation(text) }) });

    /// <summary>The texts that a call asks for.</summary>
    public static string[] TextsOf(StubRequest request)
    {
        using var message = JsonDocument.Parse(request.Messages[^1].Content);

        return [.. message.RootElement.GetProperty("segments").EnumerateArray().Select(segment => segment.GetProperty("text").GetString()!)];
    }

    public static string Translation(string text)
    {
        if (Written.TryGetValue(text, out var written))
            return written;

        var terms = Glossary.BuiltIn.In(text).Select(term => term.Term).OrderByDescending(term => term.Length).ToArray();
        if (terms.Length == 0)
            return Pseudo.OfSegment(text, Pseudo.Urdu);

        var stays = new Regex($"((?<![\\p{{L}}\\p{{N}}])(?:{string.Join('|', terms.Select(Regex.Escape))})(?![\\p{{L}}\\p{{N}}]))", RegexOptions.IgnoreCase);

        return string.Concat(stays.Split(text).Select(part => stays.IsMatch(part) ? part : Pseudo.OfSegment(part, Pseudo.Urdu)));
    }
}
