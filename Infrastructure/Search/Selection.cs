using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search;

/// <summary>The text that a reader selected, divided into windows so that an index can find the passages that hold it.</summary>
internal sealed class Selection
{
    private const int WindowTerms = 12;
    private const int MaxWindows = 4;

    /// <summary>A passage with this share of a window's terms may hold the selection.</summary>
    public const double EnoughOfWindow = 0.8;

    /// <summary>A selection of fewer terms must occur literally in a passage; for a longer one, common terms are enough.</summary>
    private const int EnoughTerms = 5;

    private readonly string _folded;

    private Selection(string folded, string[][] windows) => (_folded, Windows) = (folded, windows);

    /// <summary>Up to four groups of distinct terms, spread over the selection, which may span passages. A passage with all terms
    /// of one group very likely holds part of the selection.</summary>
    public IReadOnlyList<string[]> Windows { get; }

    /// <summary>Null if the text has no terms.</summary>
    public static Selection? Of(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return null;
        // The order of first occurrence keeps neighbouring words together. Grams repeat their words.
        var terms = TextAnalyzer.AnalyzeQuery(text).Frequencies.Keys.Where(TextAnalyzer.IsWord).ToArray();
        if (terms.Length == 0)
            return null;

        var stretches = terms.Chunk(WindowTerms).ToArray();
        // A short last window is too unspecific.
        if (stretches.Length > 1 && stretches[^1].Length < WindowTerms)
            stretches = stretches[..^1];
        var count = Math.Min(MaxWindows, stretches.Length);
        var windows = Enumerable.Range(0, count).Select(i => stretches[count == 1 ? 0 : i * (stretches.Length - 1) / (count - 1)]).ToArray();
        return new(TextAnalyzer.Fold(text), windows);
    }

    /// <summary>Passages that hold the selection come first (at most half of the answer), then their neighbours, then the rest by score.</summary>
    public IEnumerable<Passage> Order(IReadOnlyList<Passage> found, int limit)
    {
        var candidates = found.Where(f => f.Holds is not null).OrderByDescending(f => f.Holds).ToList();
        var holders = candidates.Where(HoldsText).ToList();
        if (holders.Count == 0 && Windows[0].Length >= EnoughTerms)
            holders = candidates;
        var held = holders.Select(h => h.Id).ToHashSet();

        var first = holders.Take(Math.Max(1, limit / 2)).ToList();
        var taken = first.Select(h => h.Id).ToHashSet();
        var neighbours = first.SelectMany(h => found
            .Where(f => f.DocumentPath == h.DocumentPath && Math.Abs(f.Position - h.Position) == 1)
            .OrderBy(f => f.Position))
            .Where(f => taken.Add(f.Id))
            .ToList();
        // A passage with a score of 0 is only here as a neighbour.
        var rest = found.Where(f => f.Score > 0 && !taken.Contains(f.Id)).OrderByDescending(f => f.Score);
        return first.Concat(neighbours).Concat(rest).Select(f => held.Contains(f.Id) ? f : f with { Holds = null });
    }

    private bool HoldsText(Passage found) =>
        $" {TextAnalyzer.Fold(found.Text)} ".Contains($" {_folded} ", StringComparison.Ordinal)
        || $" {TextAnalyzer.Fold(found.Heading)} ".Contains($" {_folded} ", StringComparison.Ordinal);
}
