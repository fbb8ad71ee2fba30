using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search;

/// <summary>The text that a reader marked, cut so that the passages that hold it can be looked for.</summary>
internal sealed class Selection
{
    private const int WindowTerms = 12;
    private const int MaxWindows = 4;

    /// <summary>A passage may hold the selection when it has this share of a window's terms.</summary>
    public const double EnoughOfWindow = 0.8;

    /// <summary>From here on, common terms alone say that a passage holds the selection; shorter ones are only believed word for word.</summary>
    private const int EnoughTerms = 5;

    private readonly string _folded;

    private Selection(string folded, string[][] windows) => (_folded, Windows) = (folded, windows);

    /// <summary>
    /// Up to four stretches of a few distinct terms, spread over the selection: a passage that has one of them whole very
    /// likely holds (a part of) it. A selection may span passages, so it need not be in one as a whole.
    /// </summary>
    public IReadOnlyList<string[]> Windows { get; }

    /// <summary>The selection, or null where there is nothing to look for.</summary>
    public static Selection? Of(string? text)
    {
        if (string.IsNullOrWhiteSpace(text))
            return null;
        // Order of first occurrence keeps neighbouring words together; grams would only say the same again.
        var terms = TextAnalyzer.AnalyzeQuery(text).Frequencies.Keys.Where(t => t[0] != TextAnalyzer.GramPrefix).ToArray();
        if (terms.Length == 0)
            return null;

        var stretches = terms.Chunk(WindowTerms).ToArray();
        // A short last stretch says too little on its own.
        if (stretches.Length > 1 && stretches[^1].Length < WindowTerms)
            stretches = stretches[..^1];
        var count = Math.Min(MaxWindows, stretches.Length);
        var windows = Enumerable.Range(0, count).Select(i => stretches[count == 1 ? 0 : i * (stretches.Length - 1) / (count - 1)]).ToArray();
        return new(TextAnalyzer.Fold(text), windows);
    }

    /// <summary>The passages that hold the selection first (at most half of the answer), then their neighbours, then the rest by score.</summary>
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
        // A neighbour that the query itself says nothing of has a score of 0 and is there only as a neighbour.
        var rest = found.Where(f => f.Score > 0 && !taken.Contains(f.Id)).OrderByDescending(f => f.Score);
        return first.Concat(neighbours).Concat(rest).Select(f => held.Contains(f.Id) ? f : f with { Holds = null });
    }

    private bool HoldsText(Passage found) =>
        $" {TextAnalyzer.Fold(found.Text)} ".Contains($" {_folded} ", StringComparison.Ordinal)
        || $" {TextAnalyzer.Fold(found.Heading)} ".Contains($" {_folded} ", StringComparison.Ordinal);
}
