using System.Text;
using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Resources;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Features.Chat.Answering;

/// <summary>Answers a message that is only small talk, without a search, and has the service's own sentences. All are in <c>small-talk.yaml</c>.</summary>
internal static partial class SmallTalk
{
    /// <summary>Chinese, Japanese and Korean letters begin here.</summary>
    public const char FirstHan = '\u2E80';

    private const int Longest = 200;

    private static readonly Dictionary<string, LanguageBlock> Blocks = EmbeddedYaml.Read<Dictionary<string, LanguageBlock>>("small-talk.yaml");

    private static readonly Phrase[] Phrases = [.. PhrasesOf(Blocks)];

    /// <summary>In ascending priority: the highest kind in a message decides the answer.</summary>
    private enum Kind
    {
        Beside,
        Greeting,
        Thanks,
        Farewell,
        WhatAreYou,
    }

    /// <param name="language">The reader's preferred language, as a BCP 47 tag; here and below, what the table does not have is ignored.</param>
    public static string? Answer(Question question, SiteOptions site, string? language = null)
    {
        if (question.SelectedText is not null || Find(question.Message, site.BookLanguage) is not { } phrase)
            return null;
        var block = BlockOf(language) ?? Blocks[phrase.Language];
        return block.AnswerTo(phrase.Kind).Replace("{book}", site.NameBook(block.TheBook), StringComparison.Ordinal);
    }

    /// <summary>The answer where the book has nothing on the question, in the preferred language, else in the question's if it is known.</summary>
    public static string NotCovered(Question question, SiteOptions site, string? language)
    {
        var block = BlockFor(question, site, language);
        return block.NotCovered.Replace("{book}", site.NameBook(block.TheBook), StringComparison.Ordinal);
    }

    /// <summary>What stands above a quotation, with <c>{heading}</c> for the place that it is from.</summary>
    public static string QuotedFrom(Question question, SiteOptions site, string? language) => BlockFor(question, site, language).QuotedFrom;

    /// <summary>The preferred language, else the question's, else the book's, else English.</summary>
    private static LanguageBlock BlockFor(Question question, SiteOptions site, string? language) =>
        BlockOf(language) ?? Blocks.GetValueOrDefault(Languages.Of(question.Message) ?? "") ?? Blocks.GetValueOrDefault(site.BookLanguage.Split('-')[0]) ?? Blocks["en"];

    /// <summary>The block of the tag or of its longest beginning (lookup, RFC 4647, 3.4): <c>ur-PK</c> finds <c>ur</c>.</summary>
    private static LanguageBlock? BlockOf(string? language)
    {
        for (var tag = language ?? ""; tag.Length > 0; tag = tag[..Math.Max(0, tag.LastIndexOf('-'))])
        {
            if (Blocks.FirstOrDefault(b => b.Key.Equals(tag, StringComparison.OrdinalIgnoreCase)).Value is { } block)
                return block;
        }

        return null;
    }

    /// <summary>No question refers to small talk.</summary>
    public static IReadOnlyList<HistoryMessage> Without(IReadOnlyList<HistoryMessage> history)
    {
        var isSmallTalk = false;
        return [.. history.Where(message =>
        {
            if (message.Role == ModelRole.User)
                isSmallTalk = Find(message.Content, "") is not null;
            return !isSmallTalk;
        })];
    }

    private static Phrase? Find(string message, string bookLanguage)
    {
        if (message.Length > Longest)
            return null;

        Phrase? telling = null;
        for (var rest = Fold(message); rest.Length > 0;)
        {
            // The longest phrase. If several languages have it, the one that is spelled as in the message, else the book's.
            var next = Phrases.Where(p => p.Begins(rest))
                .MaxBy(p => (p.Folded.Length, message.Contains(p.Said, StringComparison.OrdinalIgnoreCase), bookLanguage.StartsWith(p.Language, StringComparison.OrdinalIgnoreCase)));
            if (next is null)
                return null;
            if (next.Kind != Kind.Beside && next.Kind >= (telling?.Kind ?? Kind.Beside))
                telling = next;
            rest = rest[next.Folded.Length..].TrimStart();
        }

        return telling;
    }

    /// <summary>Lower case, without punctuation, accents and repeated letters.</summary>
    public static string Fold(string text) =>
        Repeated().Replace(Marks().Replace(TextAnalyzer.Fold(text).Normalize(NormalizationForm.FormD), ""), "${letter}");

    private static IEnumerable<Phrase> PhrasesOf(Dictionary<string, LanguageBlock> blocks) =>
        from block in blocks
        let language = block.Value
        from part in new (Kind Kind, List<string> Said)[]
        {
            (Kind.Beside, language.Beside),
            (Kind.Greeting, language.Greeting.Said),
            (Kind.Thanks, language.Thanks.Said),
            (Kind.Farewell, language.Farewell.Said),
            (Kind.WhatAreYou, language.WhatAreYou.Said),
        }
        from said in part.Said
        select new Phrase(part.Kind, said, Fold(said), block.Key);

    // Hindi's vowel signs are marks too. They stay, as do its double letters: without them, other words would match.
    [GeneratedRegex(@"[\p{Mn}'-[\u0941-\u094D\u0962\u0963]]", RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Marks();

    [GeneratedRegex(@"(?<letter>[\p{L}-[\u0900-\u097F]])\k<letter>+", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex Repeated();

    private sealed record Phrase(Kind Kind, string Said, string Folded, string Language)
    {
        /// <summary>Chinese has no spaces between words.</summary>
        public bool Begins(string text) =>
            text.StartsWith(Folded, StringComparison.Ordinal)
            && (text.Length == Folded.Length || text[Folded.Length] == ' ' || Folded[^1] >= FirstHan);
    }

    private sealed class LanguageBlock
    {
        public required string TheBook { get; set; }

        public required string QuotedFrom { get; set; }

        public required string NotCovered { get; set; }

        public required List<string> Beside { get; set; }

        public required PhraseBlock Greeting { get; set; }

        public required PhraseBlock Thanks { get; set; }

        public required PhraseBlock Farewell { get; set; }

        public required PhraseBlock WhatAreYou { get; set; }

        public string AnswerTo(Kind kind) => kind switch
        {
            Kind.Greeting => Greeting.Answer,
            Kind.Thanks => Thanks.Answer,
            Kind.Farewell => Farewell.Answer,
            _ => WhatAreYou.Answer,
        };
    }

    private sealed class PhraseBlock
    {
        public required List<string> Said { get; set; }

        public required string Answer { get; set; }
    }
}
