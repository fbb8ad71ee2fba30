using System.Security.Cryptography;
using System.Text;
using ChatBackend.Infrastructure.Resources;

namespace ChatBackend.Infrastructure.Search.Meaning;

/// <summary>
/// Everyday questions that no book answers (<c>unrelated-questions.yaml</c>). A nearest passage always exists, and how similar it is
/// to an unrelated question depends on the model and on the book. So it is measured with these questions.
/// </summary>
internal static class UnrelatedQuestions
{
    /// <summary>Above this quantile a question is related. Of 40 questions it leaves out the nearest one, which a book may answer after all.</summary>
    private const double Quantile = 0.975;

    private static readonly Dictionary<string, string[]> ByLanguage =
        new(EmbeddedYaml.Read<Dictionary<string, string[]>>("unrelated-questions.yaml"), StringComparer.OrdinalIgnoreCase);

    /// <summary>The questions in a language, or in English if there are none.</summary>
    /// <param name="language">A BCP 47 tag, such as <c>es-MX</c>.</param>
    public static IReadOnlyList<string> In(string language)
    {
        for (var tag = language; tag.Length > 0; tag = tag[..Math.Max(0, tag.LastIndexOf('-'))])
            if (ByLanguage.TryGetValue(tag, out var questions))
                return questions;
        return ByLanguage["en"];
    }

    /// <summary>A hash of everything that a measured similarity depends on, beside the model.</summary>
    /// <param name="indexed">The content hashes of the documents by their paths.</param>
    public static string BasisOf(IReadOnlyDictionary<string, string> indexed, IReadOnlyList<string> questions) => Convert.ToHexStringLower(SHA256.HashData(
        Encoding.UTF8.GetBytes(string.Join('\n', indexed.OrderBy(d => d.Key, StringComparer.Ordinal).Select(d => $"{d.Key}\t{d.Value}").Concat(questions)))));

    /// <summary>The similarity from which on a passage is related to a question.</summary>
    /// <param name="nearest">For each unrelated question, the similarity of the nearest passage; at least one.</param>
    public static double Threshold(IEnumerable<double> nearest)
    {
        var sorted = nearest.Order().ToArray();
        var place = Quantile * (sorted.Length - 1);
        var (below, above) = ((int)Math.Floor(place), (int)Math.Ceiling(place));
        return sorted[below] + ((place - below) * (sorted[above] - sorted[below]));
    }
}
