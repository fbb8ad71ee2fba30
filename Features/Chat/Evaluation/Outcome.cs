using ChatBackend.Features.Chat.Answering;
using ChatBackend.Infrastructure.Search;

namespace ChatBackend.Features.Chat.Evaluation;

/// <summary>What became of one question.</summary>
/// <param name="Found">What the search found, also for a refused question; nothing for small talk.</param>
/// <param name="Relevances">The relevance of each page or heading in the order found, 0 for a wrong one (<see cref="Relevant"/>).</param>
/// <param name="Answer">Null if the question failed.</param>
internal sealed record Outcome(AskedQuestion Question, IReadOnlyList<FoundPassage> Found, IReadOnlyList<int> Relevances, Answer? Answer, string? Failure)
{
    public bool IsAnswered => Answer is { Grounding: not Grounding.None };

    /// <summary>True if one typo turned an answer into a refusal, or a refusal into an answer.</summary>
    public bool IsFlipped { get; init; }

    /// <summary>The rank of the first passage that answers the question, from 1; null if none was found.</summary>
    public int? Rank => Relevances.Index().FirstOrDefault(r => r.Item > 0) is { Item: > 0 } first ? first.Index + 1 : null;

    public double Coverage => Found.Select(p => p.Coverage).DefaultIfEmpty(0).Max();

    public double? Similarity => Found.Max(p => p.Similarity);

    public int CitedRightly => Answer?.Citations.Count(c => Found.Any(p => p.Url == c.Url && p.IsOnRightPage)) ?? 0;

    /// <summary>Further passages of a place that was found already are left out.</summary>
    public static IEnumerable<int> Relevant(AskedQuestion question, IReadOnlyList<Passage> ranked)
    {
        var seen = new HashSet<Place>();
        foreach (var passage in ranked)
            if (question.Places.FirstOrDefault(p => p.Holds(passage.DocumentPath, passage.Url)) is not { } place)
                yield return 0;
            else if (seen.Add(place))
                yield return place.Relevance;
    }
}

/// <summary>What a report tells of a passage. Thousands of questions are kept in memory, so the passage itself is not.</summary>
internal sealed record FoundPassage(string Url, string Heading, double Score, double Coverage, double? Similarity, double? Nearness, bool IsOnRightPage)
{
    public static FoundPassage Of(AskedQuestion question, Passage passage) => new(
        passage.Url, passage.Heading, passage.Score, passage.Coverage, passage.Similarity, passage.Nearness,
        question.Places.Any(place => place.IsPageOf(passage.DocumentPath, passage.Url)));
}

internal sealed record SetResult(QuestionSet Set, IReadOnlyList<Outcome> Outcomes)
{
    public double Share(Func<Outcome, bool> isSo) => Outcomes.Count == 0 ? 0 : (double)Outcomes.Count(isSo) / Outcomes.Count;

    public double Share(Grounding grounding) => Share(o => o.Answer?.Grounding == grounding);

    /// <summary>Of all citations, the share that leads to a page that answers the question; null without citations.</summary>
    public double? RightCitations =>
        Outcomes.Sum(o => o.Answer?.Citations.Count ?? 0) is > 0 and var all ? (double)Outcomes.Sum(o => o.CitedRightly) / all : null;
}
