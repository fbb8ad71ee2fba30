using System.Buffers;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search.Memory;

/// <summary>What a question finds in one version of the book: BM25 (Robertson and Zaragoza, "The Probabilistic Relevance Framework", 2009) over its
/// terms, and the passages that may hold the selected text. The texts come from elsewhere.</summary>
internal sealed class BookSearch
{
    /// <summary>The most passages that may hold the selection.</summary>
    private const int MaxHolders = 12;

    private readonly BookIndex _index;
    private readonly PassageQuery _query;
    private readonly SpelledQuestion _question;
    private readonly Selection? _selection;
    private readonly Dictionary<string, double?> _rarities = new(StringComparer.Ordinal);
    private readonly Dictionary<Guid, Candidate> _candidates = [];

    private BookSearch(BookIndex index, PassageQuery query, SpelledQuestion question, Selection? selection)
    {
        (_index, _query, _question, _selection) = (index, query, question, selection);
        var page = index.PageOf(ReaderPage.Urls(query.PageUrl));
        var scores = ArrayPool<double>.Shared.Rent(index.OrdinalCount);
        try
        {
            Score(scores.AsSpan(0, index.OrdinalCount));
            foreach (var ordinal in Best(scores))
                Add(ordinal, null);
            foreach (var (ordinal, holds) in Holders(scores))
            {
                var (first, end) = index.DocumentOf(ordinal);
                for (var near = Math.Max(first, ordinal - 1); near < Math.Min(end, ordinal + 2); near++)
                    Add(near, near == ordinal ? holds : null);
            }
        }
        finally
        {
            ArrayPool<double>.Shared.Return(scores);
        }

        void Add(int ordinal, int? holds)
        {
            var known = _candidates.GetValueOrDefault(index.IdOf(ordinal));
            _candidates[index.IdOf(ordinal)] = new(ordinal, scores[ordinal] * (IsOnPage(ordinal) ? ReaderPage.Lift : 1), IsOnPage(ordinal), holds ?? known?.Holds);
        }

        bool IsOnPage(int ordinal) => ordinal >= page.First && ordinal < page.End;

        IEnumerable<(int Ordinal, int Holds)> Holders(double[] scores) => selection is null ? [] : Shares(selection)
            .OrderByDescending(s => IsOnPage(s.Key)).ThenByDescending(s => s.Value).ThenByDescending(s => scores[s.Key]).ThenBy(s => s.Key, Comparer<int>.Create(index.Compare))
            .Take(MaxHolders).Select(s => (s.Key, (int)Math.Round(1000 * s.Value))).ToList();
    }

    /// <summary>The passages whose texts are needed.</summary>
    public IReadOnlyCollection<Guid> Ids => _candidates.Keys;

    /// <summary>If the question has a word that the book does not have, it is read as one that is spelled nearly so.</summary>
    public static BookSearch Run(BookIndex index, PassageQuery query, Selection? selection)
    {
        var search = new BookSearch(index, query, new(query.Text), selection);
        var words = Spelling.Find(query.Text, term => search._rarities.TryGetValue(term, out var rarity) && rarity is null);
        return words.Count > 0 && Spelling.Correct(query.Text, words, index.Has) is { } corrected ? new(index, query, corrected, selection) : search;
    }

    /// <summary>The best passages, best first, without near-duplicates.</summary>
    /// <param name="texts">The passages of <see cref="Ids"/>. The search adds what it knows of them.</param>
    public IReadOnlyList<Passage> Choose(IEnumerable<Passage> texts)
    {
        Passage[] found =
        [
            .. texts.Select(p => (Passage: p, Candidate: _candidates[p.Id]))
                .OrderByDescending(f => _selection is not null && f.Candidate.IsOnPage)
                .ThenByDescending(f => f.Candidate.Score)
                .ThenBy(f => f.Passage.DocumentPath, StringComparer.Ordinal).ThenBy(f => f.Passage.Position)
                .Select(f => f.Passage with { Score = f.Candidate.Score, Holds = f.Candidate.Holds }),
        ];
        var ranked = _selection?.Order(found, _query.Limit) ?? PassageLanguage.Prefer(found, _query);
        var chosen = NearDuplicates.Cut(ranked.Select(WithTerms), _query.Limit);
        // Only a word that the book does not have is compared with all candidates.
        var coverage = new Coverage(
            _question, _rarities.ContainsValue(null) ? [.. found.Select(p => WithTerms(p).Terms)] : [], _rarities, _index.PassageCount);
        return [.. chosen.Select(p => p.CoveredBy(coverage))];
    }

    private Passage WithTerms(Passage passage) => _index.WithTerms(passage, _candidates[passage.Id].Ordinal);

    private void Score(Span<double> scores)
    {
        scores.Clear();
        var found = new List<(int Ordinal, int Frequency, int Length)>();
        foreach (var term in _question.Terms)
        {
            _index.Find(term.Term, found);
            var rarity = Math.Log(1 + ((_index.PassageCount - found.Count + 0.5) / (found.Count + 0.5)));
            _rarities[term.Term] = found.Count > 0 ? rarity : null;
            foreach (var (ordinal, frequency, length) in found)
                scores[ordinal] += term.Weight * rarity * frequency * (Bm25.K1 + 1) / (frequency + Bm25.Fixed + (Bm25.PerTerm * length));
        }
    }

    /// <summary>The passages with the highest scores, best first.</summary>
    private IEnumerable<int> Best(double[] scores)
    {
        var order = Comparer<int>.Create((one, other) => scores[other].CompareTo(scores[one]) is not 0 and var byScore ? byScore : _index.Compare(one, other));
        var best = new PriorityQueue<int, int>(Comparer<int>.Create((one, other) => order.Compare(other, one)));
        for (var ordinal = 0; ordinal < _index.OrdinalCount; ordinal++)
        {
            if (scores[ordinal] == 0)
                continue;
            if (best.Count < _query.Candidates)
                best.Enqueue(ordinal, ordinal);
            else if (scores[ordinal] >= scores[best.Peek()] && order.Compare(ordinal, best.Peek()) < 0)
                best.DequeueEnqueue(ordinal, ordinal);
        }

        return best.UnorderedItems.Select(item => item.Element).Order(order);
    }

    /// <summary>The share of a window's terms that passages have, where it is enough.</summary>
    private Dictionary<int, double> Shares(Selection selection)
    {
        var shares = new Dictionary<int, double>();
        var found = new List<(int Ordinal, int Frequency, int Length)>();
        foreach (var window in selection.Windows)
        {
            var counts = new byte[_index.OrdinalCount];
            foreach (var term in window)
            {
                _index.Find(term, found);
                foreach (var (ordinal, _, _) in found)
                    counts[ordinal]++;
            }

            for (var ordinal = 0; ordinal < counts.Length; ordinal++)
                if (counts[ordinal] >= Selection.EnoughOfWindow * window.Length)
                    shares[ordinal] = Math.Max(shares.GetValueOrDefault(ordinal), counts[ordinal] / (double)window.Length);
        }

        return shares;
    }

    /// <param name="Holds">See <see cref="Passage.Holds"/>.</param>
    private sealed record Candidate(int Ordinal, double Score, bool IsOnPage, int? Holds);
}
