using System.Buffers;
using System.Globalization;
using System.Text;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Features.Chat.Answering;

/// <summary>Tells a question that depends on the turn before ("and why?", "give an example") from one that stands alone.</summary>
internal static class FollowUp
{
    private const int FewWords = 3;

    private static readonly HashSet<string> Pointing =
    [
        "it", "its", "they", "them", "their", "that", "this", "those", "these", "he", "she", "one", "ones", "same", "former", "latter", "there",
    ];

    private static readonly HashSet<string> Empty =
    [
        .. Pointing,
        "a", "about", "again", "also", "an", "and", "another", "any", "are", "as", "at", "be", "better", "but", "by", "can", "come", "could", "detail",
        "details", "did", "do", "does", "elaborate", "else", "example", "examples", "explain", "for", "from", "further", "give", "go", "how", "i", "if", "in",
        "instead", "is", "just", "last", "like", "me", "mean", "meaning", "more", "much", "next", "no", "not", "of", "ok", "okay", "on", "or", "other",
        "please", "really", "say", "shorter", "should", "show", "simple", "simpler", "simply", "so", "step", "summarize", "sure", "tell", "thanks", "the", "then",
        "to", "try", "up", "us", "use", "was", "we", "what", "when", "where", "which", "who", "why", "with", "would", "yes", "you", "your",
    ];

    private static readonly SearchValues<char> EnglishLetters = SearchValues.Create("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");

    /// <summary>True if the question cannot be understood without the turn before it.</summary>
    public static bool RefersToConversation(string question, IReadOnlyList<HistoryMessage> history)
    {
        if (!history.Any(m => m.Role == ModelRole.User))
            return false;

        var words = Words(question);
        if (!question.AsSpan().ContainsAny(EnglishLetters))
            return words.Count <= FewWords;

        var telling = Telling(words);
        return telling == 0
            || (telling <= FewWords && words.FindIndex(Pointing.Contains) is >= 0 and var points && points < words.FindIndex(w => !Empty.Contains(w)))
            || (telling <= FewWords && words is ["and" or "but" or "so", ..])
            || (telling <= 2 && words is ["what" or "how", "about", ..]);
    }

    public static bool SaysNothing(string question) => Telling(Words(question)) == 0;

    public static string WithTurnBefore(string question, IReadOnlyList<HistoryMessage> history) =>
        $"{history.Last(m => m.Role == ModelRole.User).Content}\n{question}";

    /// <summary>An estimate: mostly letters of another script, the stop words of another language, or no common English word.</summary>
    public static bool IsForeign(string question)
    {
        var letters = question.Count(char.IsLetter);
        var english = question.Count(c => char.IsAsciiLetter(c));
        return letters > 0 && (english * 2 < letters || Languages.Of(question) is not (null or "en") || !Words(question).Any(Empty.Contains));
    }

    private static int Telling(List<string> words) => words.Count(w => !Empty.Contains(w));

    private static List<string> Words(string text)
    {
        var words = new List<string>();
        var word = new StringBuilder();
        foreach (var character in text + " ")
        {
            // Combining marks are part of a word, in Hindi and Urdu for example.
            if (char.IsLetterOrDigit(character) || char.GetUnicodeCategory(character) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark)
            {
                word.Append(char.ToLowerInvariant(character));
            }
            else if (word.Length > 0)
            {
                words.Add(word.ToString());
                word.Clear();
            }
        }

        return words;
    }
}
