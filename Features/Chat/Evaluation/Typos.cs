using System.Text;

namespace ChatBackend.Features.Chat.Evaluation;

/// <summary>Questions with one mistyped letter each: two neighbours swapped, one left out, one typed twice, or one replaced.</summary>
internal static class Typos
{
    private const string Name = "with a typo";

    /// <summary>Shorter words are seldom the ones that matter, and one letter makes another word of them.</summary>
    private const int ShortestWord = 5;

    public static bool IsTypos(QuestionSet set) => set.Name == Name;

    /// <summary>The same typos in every run.</summary>
    public static QuestionSet In(QuestionSet set)
    {
#pragma warning disable CA5394 // Typos need not be unpredictable.
        var random = new Random(1);
        return set with { Name = Name, Questions = [.. set.Questions.Select(q => q with { Text = Mistype(q.Text, random) })] };
    }

    private static string Mistype(string text, Random random)
    {
        var words = Words(text).ToArray();
        if (words.Length == 0)
            return text;
        var (start, length) = words[random.Next(words.Length)];
        // The first letter is seldom mistyped.
        var at = start + random.Next(1, length - 1);
        var typed = new StringBuilder(text);
        switch (random.Next(4))
        {
            case 0:
                (typed[at], typed[at + 1]) = (typed[at + 1], typed[at]);
                break;
            case 1:
                typed.Remove(at, 1);
                break;
            case 2:
                typed.Insert(at, text[at]);
                break;
            default:
                // Another letter of the same script.
                typed[at] = text[start + random.Next(length)];
                break;
        }

        return typed.ToString();
    }

    private static IEnumerable<(int Start, int Length)> Words(string text)
    {
        var start = 0;
        for (var i = 0; i <= text.Length; i++)
        {
            if (i < text.Length && char.IsLetter(text[i]))
                continue;
            if (i - start >= ShortestWord)
                yield return (start, i - start);
            start = i + 1;
        }
    }
}
