using System.Buffers;
using System.Globalization;
using System.Text.RegularExpressions;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Resources;

namespace ChatBackend.Features.Chat.Answering;

internal enum BookQuestionKind
{
    /// <summary>What is this book about?</summary>
    Book,

    /// <summary>Which page should I read first?</summary>
    First,

    /// <summary>Summarize chapter 2.</summary>
    Chapter,

    /// <summary>Summarize this page.</summary>
    Page,
}

/// <summary>A question about the book itself. It is recognized by its whole wording, without a model: the phrases are in <c>book-questions.yaml</c>.</summary>
/// <param name="Name">What the question names, folded: "chapter 2".</param>
/// <param name="Chapter">The number that was asked for, -1 for the last; 0 for other kinds.</param>
internal sealed partial record BookQuestion(BookQuestionKind Kind, int Chapter, string Name, BookQuestion.AnswerBlock Answer, string TheBook)
{
    private const int Longest = 200;

    /// <summary>A shorter title ("ROS 2") is a subject too: "What is ROS 2?" does not ask for the book.</summary>
    private const int TitleWords = 3;

    private static readonly Lazy<Language[]> Languages =
        new(() => [.. EmbeddedYaml.Read<Dictionary<string, LanguageBlock>>("book-questions.yaml").Values.Select(block => new Language(block))]);

    /// <summary>Null for an ordinary question. A question about selected text is about that text.</summary>
    public static BookQuestion? Of(Question question, SiteOptions site)
    {
        if (question.SelectedText is not null || question.Message.Length > Longest)
            return null;

        var message = SmallTalk.Fold(RomanNumeral().Replace(question.Message, numeral => $"{(numeral.Groups["five"].Success ? 5 : 0) + numeral.Groups["ones"].Length}"));
        if (site.BookTitle is { } title && SmallTalk.Fold(title) is var folded && folded.Count(c => c == ' ') >= TitleWords - 1)
            message = $" {message} ".Replace($" {folded} ", $" {Language.Title} ", StringComparison.Ordinal).Trim();

        return Languages.Value.Select(language => language.Match(message)).FirstOrDefault(match => match is not null);
    }

    /// <summary>Folding drops repeated letters: chapter II would be chapter I.</summary>
    [GeneratedRegex(@"\b(?<five>v)?(?<ones>i{2,3})\b", RegexOptions.CultureInvariant | RegexOptions.IgnoreCase | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex RomanNumeral();

    private sealed class Language
    {
        /// <summary>The book's title in a folded message.</summary>
        public const string Title = "titleofthebook";

        private const string It = "{it}";

        /// <summary>The most words beside a question, at its start and at its end.</summary>
        private const int MostBeside = 5;

        private readonly LanguageBlock _block;
        private readonly string[] _beside;
        private readonly Dictionary<string, int> _numbers;
        private readonly (BookQuestionKind Kind, Regex Pattern)[] _names;

        /// <summary>The longest part of each name. A message without any of these has no name, so the patterns are not tried.</summary>
        private readonly SearchValues<string> _partsOfNames;
        private readonly HashSet<string> _about;
        private readonly HashSet<string> _whole;
        private readonly HashSet<string> _first;

        public Language(LanguageBlock block)
        {
            _block = block;
            _beside = [.. block.Beside.Select(SmallTalk.Fold).OrderByDescending(phrase => phrase.Length)];
            _numbers = block.Numbers.SelectMany(number => number.Value.Select(word => (Word: SmallTalk.Fold(word), number.Key)))
                .Distinct().ToDictionary(number => number.Word, number => number.Key);
            _names = [(BookQuestionKind.Chapter, AnyOf(block.Chapter)), (BookQuestionKind.Page, AnyOf(block.Page)), (BookQuestionKind.Book, AnyOf(block.Book))];
            _partsOfNames = SearchValues.Create(
                [.. block.Chapter.Concat(block.Page).Concat(block.Book).Select(name => Parts(name).MaxBy(part => part.Length)!)], StringComparison.Ordinal);
            (_about, _whole, _first) = ([.. block.About.Select(Shape), It], [.. block.Whole.Select(Shape)], [.. block.First.Select(Shape)]);
        }

        public BookQuestion? Match(string message)
        {
            var names = message.AsSpan().ContainsAny(_partsOfNames) ? _names : [];
            foreach (var text in WithoutBeside(message))
            {
                if (_first.Contains(text))
                    return Found(BookQuestionKind.First);
                if (_whole.Contains(text))
                    return Found(BookQuestionKind.Book);

                foreach (var (kind, pattern) in names)
                {
                    foreach (Match match in pattern.Matches(text))
                    {
                        var shape = $"{text[..match.Index].TrimEnd()}{It}{text[(match.Index + match.Length)..].TrimStart()}";
                        if (kind == BookQuestionKind.Book && _first.Contains(shape))
                            return Found(BookQuestionKind.First);
                        if ((shape != It || kind == BookQuestionKind.Chapter) && (_about.Contains(shape) || (kind == BookQuestionKind.Book && _whole.Contains(shape))))
                            return Found(kind, match);
                    }
                }
            }

            return null;
        }

        private BookQuestion Found(BookQuestionKind kind, Match? match = null)
        {
            var number = match?.Groups["number"].Value ?? "";
            var chapter = number.Length == 0 ? 0 : _numbers.TryGetValue(number, out var named) ? named : int.Parse(number, CultureInfo.InvariantCulture);
            return new(kind, chapter, match?.Value ?? "", _block.Answer, _block.TheBook);
        }

        /// <summary>The message, and the message without the words beside the question at its start and its end.</summary>
        private IEnumerable<string> WithoutBeside(string message) =>
            Shorter(message, text => Array.Find(_beside, word => Begins(text, word)) is { } first ? text[first.Length..].TrimStart() : null)
                .SelectMany(start => Shorter(start, text => Array.Find(_beside, word => Ends(text, word)) is { } last ? text[..^last.Length].TrimEnd() : null));

        private static IEnumerable<string> Shorter(string text, Func<string, string?> next)
        {
            yield return text;
            for (var words = 0; words < MostBeside && next(text) is { } rest; words++)
                yield return text = rest;
        }

        // Chinese has no spaces between words.
        private static bool Begins(string text, string word) =>
            text.Length > word.Length && text.StartsWith(word, StringComparison.Ordinal) && (text[word.Length] == ' ' || word[^1] >= SmallTalk.FirstHan);

        private static bool Ends(string text, string word) =>
            text.Length > word.Length && text.EndsWith(word, StringComparison.Ordinal) && (text[^(word.Length + 1)] == ' ' || word[0] >= SmallTalk.FirstHan);

        /// <summary>The folded phrase with {it} between its words, without the spaces around it.</summary>
        private static string Shape(string phrase) => string.Join(It, phrase.Split(It).Select(SmallTalk.Fold));

        /// <summary>Finds a whole name, the longest that begins at a place.</summary>
        private Regex AnyOf(IEnumerable<string> names) => new(
            $"(?<![\\p{{L}}-[\u2E80-\uFFFF]])(?:{string.Join('|', names.Select(Pattern).OrderByDescending(name => name.Length))})(?![\\p{{L}}\\p{{N}}-[\u2E80-\uFFFF]])",
            RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(10));

        private string Pattern(string name) => Parts(name) switch
        {
            [var before, var after] => $"{Regex.Escape(before)} ?(?<number>[0-9]{{1,4}}|{string.Join('|', _numbers.Keys.Select(Regex.Escape).OrderByDescending(n => n.Length))}) ?{Regex.Escape(after)}",
            [var whole] => Regex.Escape(whole),
            _ => throw new FormatException($"{name} has more than one number."),
        };

        /// <summary>The folded texts before and after the number; the whole name if it has no number.</summary>
        private static string[] Parts(string name) => name == "{book}" ? [Title] : Array.ConvertAll(name.Split("{number}"), SmallTalk.Fold);
    }

    private sealed class LanguageBlock
    {
        public required string TheBook { get; set; }

        public required List<string> Beside { get; set; }

        public required List<string> Book { get; set; }

        public required List<string> Page { get; set; }

        public required List<string> Chapter { get; set; }

        public required Dictionary<int, List<string>> Numbers { get; set; }

        public required List<string> About { get; set; }

        public required List<string> Whole { get; set; }

        public required List<string> First { get; set; }

        public required AnswerBlock Answer { get; set; }
    }

    /// <summary>The sentences of a language.</summary>
    internal sealed class AnswerBlock
    {
        public required string Book { get; set; }

        public required string First { get; set; }

        public required string Chapter { get; set; }

        public required string Page { get; set; }

        public required string NoChapter { get; set; }

        public required string NoPage { get; set; }
    }
}
