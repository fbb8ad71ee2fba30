using System.Buffers;
using System.Numerics;
using ChatBackend.Infrastructure.Search.Meaning;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search.Memory;

/// <summary>What a question finds in one version of the book: BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009) over its
/// terms, fused with the passages nearest to it by meaning, and the passages that may hold the selected text. The texts come from elsewhere.</summary>
internal sealed class BookSearch
{
    /// <summary>The most passages that may hold the selection.</summary>
    private const int MaxHolders = 12;

    private readonly BookIndex _index;
    private readonly PassageQuery _query;
    private readonly SpelledQuestion _question;
    private readonly Selection? _selection;
    private readonly Dictionary<string, double?> _rarities = new(StringComparer.Ordinal);
    private readonly (int First, int End) _page;

    /// <summary>The best passages by words, best first.</summary>
    private readonly (int Ordinal, double Score)[] _words;

    /// <summary>The passages that may hold the selection, and their neighbours.</summary>
    private readonly Dictionary<int, (double Score, int? Holds)> _selected = [];

    private readonly Dictionary<Guid, Candidate> _candidates = [];

    private BookSearch(BookIndex index, PassageQuery query, SpelledQuestion question, Selection? selection)
    {
        (_index, _query, _question, _selection, _page) = (index, query, question, selection, index.PageOf(ReaderPage.Urls(query.PageUrl)));
        // Rented: arrays of this size would be among the large objects, which only a full collection frees.
        var scores = ArrayPool<double>.Shared.Rent(index.OrdinalCount);
        var found = ArrayPool<(int Ordinal, int Frequency, int Length)>.Shared.Rent(index.OrdinalCount);
        try
        {
            Score(scores.AsSpan(0, index.OrdinalCount), found);
            _words = [.. Best(scores).Select(ordinal => (ordinal, scores[ordinal]))];
            foreach (var (ordinal, holds) in Holders(scores))
            {
                var (first, end) = index.DocumentOf(ordinal);
                for (var near = Math.Max(first, ordinal - 1); near < Math.Min(end, ordinal + 2); near++)
                    _selected[near] = (scores[near], near == ordinal ? holds : _selected.GetValueOrDefault(near).Holds);
            }
        }
        finally
        {
            ArrayPool<double>.Shared.Return(scores);
            ArrayPool<(int Ordinal, int Frequency, int Length)>.Shared.Return(found);
        }

        foreach (var (ordinal, score) in _words.Take(query.Candidates))
            Add(ordinal, score);
        foreach (var (ordinal, (score, _)) in _selected)
            Add(ordinal, score);

        IEnumerable<(int Ordinal, int Holds)> Holders(double[] scores) => selection is null ? [] : Shares(selection, found)
            .OrderByDescending(s => IsOnPage(s.Key)).ThenByDescending(s => s.Value).ThenByDescending(s => scores[s.Key]).ThenBy(s => s.Key, Comparer<int>.Create(index.Compare))
            .Take(MaxHolders).Select(s => (s.Key, (int)Math.Round(1000 * s.Value))).ToList();
    }

    /// <summary>The most passages of each list: by words and by meaning.</summary>
    private int ListLength => _index.HasVectors ? Math.Max(_query.Candidates, ScoreFusion.ListLength) : _query.Candidates;

    /// <summary>The ids of the candidates, best first. With selected text, <see cref="Choose"/> needs the texts of all of them; otherwise the first are mostly enough.</summary>
    public IReadOnlyList<Guid> Ranked()
    {
        Candidate[] ranked =
        [
            .. _candidates.Values
                .OrderByDescending(c => _selection is not null && c.IsOnPage)
                .ThenByDescending(c => c.Score)
                .ThenBy(c => c.Ordinal, Comparer<int>.Create(_index.Compare)),
        ];
        var preferred = _selection is null ? PassageLanguage.Prefer(ranked, c => _index.LanguageOf(c.Ordinal), _query) : ranked;
        return [.. preferred.Select(c => _index.IdOf(c.Ordinal))];
    }

    /// <summary>If the question has a word that the book does not have, it is read as one that is spelled nearly so.</summary>
    public static BookSearch Run(BookIndex index, PassageQuery query, SpelledQuestion question, Selection? selection)
    {
        var search = new BookSearch(index, query, question, selection);
        var words = Spelling.Find(query.Text, term => search._rarities.TryGetValue(term, out var rarity) && rarity is null);
        return words.Count > 0 && Spelling.Correct(query.Text, words, index.Has) is { } corrected ? new(index, query, corrected, selection) : search;
    }

    /// <summary>Adds what is near to the question by meaning. Without it, or if no passage has a vector of these dimensions, words decide alone.</summary>
    public void Fuse(ReadOnlyMemory<float>? question)
    {
        if (question is not { } vector || _question.Terms.Length == 0 || _index.Nearest(vector, ListLength) is not { Count: > 0 } nearest)
            return;

        var ordinals = _words.Select(w => w.Ordinal).Concat(nearest.Select(n => n.Ordinal)).Distinct().ToDictionary(_index.IdOf);
        var similarities = nearest.ToDictionary(n => n.Ordinal, n => n.Similarity);
        var related = _index.Related is { } measured && measured.Dimensions == vector.Length ? measured.Value : (double?)null;
        var fused = ScoreFusion.Fuse(
            [.. _words.Select(w => (_index.IdOf(w.Ordinal), w.Score))], [.. nearest.Select(n => (_index.IdOf(n.Ordinal), n.Similarity))], ListLength);

        _candidates.Clear();
        foreach (var (ordinal, score) in fused.Where(f => f.Value > 0).Select(f => (Ordinal: ordinals[f.Key], Score: f.Value))
            .OrderByDescending(f => f.Score).ThenBy(f => f.Ordinal, Comparer<int>.Create(_index.Compare)).Take(_query.Candidates))
        {
            // As in Qdrant, the similarity of a passage that is not in the list is low and counts as 0.
            var similarity = similarities.GetValueOrDefault(ordinal);
            Add(ordinal, score, similarity, similarity - related);
        }

        foreach (var ordinal in _selected.Keys)
            if (!_candidates.ContainsKey(_index.IdOf(ordinal)))
                Add(ordinal, 0);
    }

    /// <summary>The best passages, best first, without near-duplicates.</summary>
    /// <param name="texts">The first passages of <see cref="Ranked"/>, in its order. The search adds what it knows of them.</param>
    public IReadOnlyList<Passage> Choose(IReadOnlyList<Passage> texts)
    {
        var found = texts.Select(p => _candidates[p.Id].AddTo(p));
        var ranked = _selection?.Order([.. found], _query.Limit) ?? found;
        // Only a word that the book does not have is compared with all candidates.
        var coverage = new Coverage(
            _question, _rarities.ContainsValue(null) ? [.. _candidates.Values.Select(c => _index.TermsOf(c.Ordinal))] : [], _rarities, _index.PassageCount);
        return [.. NearDuplicates.Cut(ranked.Select(p => WithTerms(p).CoveredBy(coverage)).Where(p => p.IsRelated), _query.Limit).Select(p => p.Chosen())];
    }

    private bool IsOnPage(int ordinal) => ordinal >= _page.First && ordinal < _page.End;

    private void Add(int ordinal, double score, double? similarity = null, double? nearness = null) => _candidates[_index.IdOf(ordinal)] = new(
        ordinal, score * (IsOnPage(ordinal) ? ReaderPage.Lift : 1), IsOnPage(ordinal), _selected.GetValueOrDefault(ordinal).Holds, similarity, nearness);

    private Passage WithTerms(Passage passage) => _index.WithTerms(passage, _candidates[passage.Id].Ordinal);

    private void Score(Span<double> scores, Span<(int Ordinal, int Frequency, int Length)> found)
    {
        scores.Clear();
        foreach (var term in _question.Terms)
        {
            var holding = _index.Find(term.Term, found);
            var rarity = Math.Log(1 + ((_index.PassageCount - holding.Length + 0.5) / (holding.Length + 0.5)));
            _rarities[term.Term] = holding.Length > 0 ? rarity : null;
            foreach (var (ordinal, frequency, length) in holding)
                scores[ordinal] += term.Weight * rarity * frequency * (Bm25.K1 + 1) / (frequency + Bm25.Fixed + (Bm25.PerTerm * length));
        }
    }

    /// <summary>The passages with the highest scores, best first.</summary>
    private IEnumerable<int> Best(double[] scores)
    {
        var order = Comparer<int>.Create((one, other) => scores[other].CompareTo(scores[one]) is not 0 and var byScore ? byScore : _index.Compare(one, other));
        var best = new PriorityQueue<int, int>(Comparer<int>.Create((one, other) => order.Compare(other, one)));
        ReadOnlySpan<double> all = scores.AsSpan(0, _index.OrdinalCount);
        var (most, least) = (ListLength, double.Epsilon);
        for (var ordinal = Next(all, 0, least); ordinal < all.Length; ordinal = Next(all, ordinal + 1, least))
        {
            if (best.Count < most)
                best.Enqueue(ordinal, ordinal);
            else if (order.Compare(ordinal, best.Peek()) < 0)
                best.DequeueEnqueue(ordinal, ordinal);
            if (best.Count == most)
                least = all[best.Peek()];
        }

        return best.UnorderedItems.Select(item => item.Element).Order(order);
    }

    /// <summary>The first ordinal from <paramref name="at"/> on with at least this score; the number of scores if there is none. Most passages have no score,
    /// so several are compared at once.</summary>
    private static int Next(ReadOnlySpan<double> scores, int at, double least)
    {
        while (at + Vector<double>.Count <= scores.Length && Vector.LessThanAll(new Vector<double>(scores[at..]), new Vector<double>(least)))
            at += Vector<double>.Count;
        while (at < scores.Length && scores[at] < least)
            at++;
        return at;
    }

    /// <summary>The share of a window's terms that passages have, where it is enough.</summary>
    private Dictionary<int, double> Shares(Selection selection, Span<(int Ordinal, int Frequency, int Length)> found)
    {
        var shares = new Dictionary<int, double>();
        foreach (var window in selection.Windows)
        {
            var counts = new byte[_index.OrdinalCount];
            foreach (var term in window)
            {
                foreach (var (ordinal, _, _) in _index.Find(term, found))
                    counts[ordinal]++;
            }

            for (var ordinal = 0; ordinal < counts.Length; ordinal++)
                if (counts[ordinal] >= Selection.EnoughOfWindow * window.Length)
                    shares[ordinal] = Math.Max(shares.GetValueOrDefault(ordinal), counts[ordinal] / (double)window.Length);
        }

        return shares;
    }

    /// <param name="Holds">See <see cref="Passage.Holds"/>.</param>
    private sealed record Candidate(int Ordinal, double Score, bool IsOnPage, int? Holds, double? Similarity, double? Nearness)
    {
        public Passage AddTo(Passage passage) => passage with { Score = Score, Holds = Holds, Similarity = Similarity, Nearness = Nearness };
    }
}
