using ChatBackend.Infrastructure.Search.Meaning;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search.Memory;

/// <summary>The terms of the book as it was at one version: a large segment that seldom changes, and a small one with the documents that changed since.
/// It does not change. Passages have ordinals: first those of the large segment, then those of the small one.</summary>
internal sealed class BookIndex
{
    /// <summary>The segments become one when the small one has, or the large one has lost, more passages than this, and than an eighth of what is left.</summary>
    private const int SmallPassages = 1_000;

    /// <summary>What is held before the first load.</summary>
    public static readonly BookIndex None = new(new(-1, ""), IndexSegment.Empty, [], IndexSegment.Empty, related: null);

    private readonly Part[] _parts;

    /// <param name="isGone">Whether a passage of the large segment was replaced or removed; empty if none was.</param>
    private BookIndex(BookVersion version, IndexSegment large, bool[] isGone, IndexSegment small, MeasuredSimilarity? related)
    {
        (Version, Related) = (version, related);
        _parts = [new(large, 0, isGone), new(small, large.PassageCount, [])];
        HasVectors = Array.Exists(_parts, part => part.Vectors.Any());
        PassageCount = OrdinalCount - isGone.Count(gone => gone);
    }

    public BookVersion Version { get; }

    public bool IsLoaded => Version.Number >= 0;

    /// <summary>The number of passages in the book.</summary>
    public int PassageCount { get; }

    /// <summary>The number of ordinals: also of passages that are gone.</summary>
    public int OrdinalCount => _parts[1].First + _parts[1].Segment.PassageCount;

    /// <summary>Whether any passage has a vector.</summary>
    public bool HasVectors { get; }

    /// <summary>What <see cref="Passage.Nearness"/> is relative to; null if it was not measured.</summary>
    public MeasuredSimilarity? Related { get; }

    /// <summary>The next version.</summary>
    /// <param name="changed">The documents that are new or changed.</param>
    /// <param name="remaining">The documents that the book still has; null if none was removed.</param>
    /// <param name="related">See <see cref="Related"/>.</param>
    public BookIndex With(BookVersion version, SegmentBuilder changed, IReadOnlySet<Guid>? remaining, MeasuredSimilarity? related = null)
    {
        var (large, before) = (_parts[0].Segment, _parts[1].Segment);
        if (changed.DocumentIds.Count == 0 && remaining is null)
            return new(version, large, _parts[0].IsGone, before, related);

        var replaced = changed.DocumentIds.ToHashSet();
        changed.Add(before, document => IsOld(before, document));
        var small = changed.Build();

        var isGone = _parts[0].IsGone.Length > 0 ? _parts[0].IsGone.ToArray() : new bool[large.PassageCount];
        for (var document = 0; document < large.DocumentIds.Length; document++)
            if (IsOld(large, document))
                isGone.AsSpan(large.FirstPassages[document]..large.FirstPassages[document + 1]).Fill(true);
        var left = isGone.Count(gone => !gone);

        if (left == 0)
            return new(version, small, [], IndexSegment.Empty, related);
        // Also passages that are gone take memory.
        if (Math.Max(small.PassageCount, isGone.Length - left) <= Math.Max(SmallPassages, left / 8))
            return new(version, large, left < isGone.Length ? isGone : [], small, related);
        var whole = new SegmentBuilder();
        whole.Add(large, document => large.FirstPassages[document] is var first && (first == large.FirstPassages[document + 1] || isGone[first]));
        whole.Add(small, _ => false);
        return new(version, whole.Build(), [], IndexSegment.Empty, related);

        bool IsOld(IndexSegment segment, int document) =>
            replaced.Contains(segment.DocumentIds[document]) || remaining?.Contains(segment.DocumentIds[document]) is false;
    }

    public Guid IdOf(int ordinal) => PartOf(ordinal).IdOf(ordinal);

    /// <summary>The ordinals of the passages of a passage's document: the first one, and the one behind the last.</summary>
    public (int First, int End) DocumentOf(int ordinal)
    {
        var part = PartOf(ordinal);
        return part.OrdinalsOf(part.Segment.DocumentOf(ordinal - part.First));
    }

    /// <summary>The ordinals of the passages on the reader's page; none if the book does not have it.</summary>
    /// <param name="urls">See <see cref="ReaderPage.Urls"/>.</param>
    public (int First, int End) PageOf(IEnumerable<string> urls)
    {
        foreach (var url in urls.OrderByDescending(url => url.Length))
            foreach (var part in _parts)
                if (part.FindPage(url) is { } document)
                    return part.OrdinalsOf(document);
        return (0, 0);
    }

    /// <summary>The order of passages whose scores are equal, the same in every process.</summary>
    public int Compare(int one, int other)
    {
        var documents = PartOf(one).DocumentIdOf(one).CompareTo(PartOf(other).DocumentIdOf(other));
        return documents != 0 ? documents : one.CompareTo(other);
    }

    /// <summary>The passages that have a term: their ordinals and lengths, and how often they have it.</summary>
    /// <param name="found">Receives them: as long as there are ordinals.</param>
    /// <returns>The part of <paramref name="found"/> that was written.</returns>
    public Span<(int Ordinal, int Frequency, int Length)> Find(string term, Span<(int Ordinal, int Frequency, int Length)> found)
    {
        var count = 0;
        foreach (var part in _parts)
            count += part.Find(term, found[count..]);
        return found[..count];
    }

    /// <summary>The passages that are nearest to a question, best first, with their cosine similarities.</summary>
    public IReadOnlyList<(int Ordinal, double Similarity)> Nearest(ReadOnlyMemory<float> question, int most) =>
        PassageVectors.Nearest(_parts.SelectMany(part => part.Vectors), question, most);

    /// <summary>Whether a passage has a term.</summary>
    public bool Has(string term) => Array.Exists(_parts, part => part.Has(term));

    /// <summary>The passage with its terms, so that its text need not be cut into words.</summary>
    public Passage WithTerms(Passage passage, int ordinal) => PartOf(ordinal).WithTerms(passage, ordinal);

    /// <summary>The terms of a passage.</summary>
    public AnalyzedText TermsOf(int ordinal) => PartOf(ordinal).TermsOf(ordinal);

    /// <summary>The language of a passage's document, if it is a translation (<see cref="PassageLanguage"/>).</summary>
    public string? LanguageOf(int ordinal) => PartOf(ordinal).LanguageOf(ordinal);

    private Part PartOf(int ordinal) => _parts[ordinal < _parts[1].First ? 0 : 1];

    /// <param name="First">The ordinal of the segment's first passage.</param>
    /// <param name="IsGone">Empty if no passage is gone.</param>
    private sealed record Part(IndexSegment Segment, int First, bool[] IsGone)
    {
        /// <summary>The vectors of documents, with the ordinals of their first passages.</summary>
        public IEnumerable<(int First, PassageVectors Vectors)> Vectors
        {
            get
            {
                for (var document = 0; document < Segment.Vectors.Length; document++)
                    if (Segment.Vectors[document] is { } vectors && !IsMissing(Segment.FirstPassages[document]))
                        yield return (First + Segment.FirstPassages[document], vectors);
            }
        }

        public Guid IdOf(int ordinal) => Segment.PassageIds[ordinal - First];

        public Passage WithTerms(Passage passage, int ordinal) => Segment.WithTerms(passage, ordinal - First);

        public AnalyzedText TermsOf(int ordinal) => Segment.TermsOf(ordinal - First);

        public string? LanguageOf(int ordinal) => Segment.Languages[Segment.DocumentOf(ordinal - First)];

        public Guid DocumentIdOf(int ordinal) => Segment.DocumentIds[Segment.DocumentOf(ordinal - First)];

        public (int First, int End) OrdinalsOf(int document) => (First + Segment.FirstPassages[document], First + Segment.FirstPassages[document + 1]);

        public bool Has(string term)
        {
            if (Segment.Terms.Find(term) is not (>= 0 and var number))
                return false;
            var postings = Segment.PostingsOf(number);
            for (var passage = -1; !postings.IsAtEnd; postings.Next())
                if (!IsMissing(passage += postings.Next()))
                    return true;
            return false;
        }

        public int Find(string term, Span<(int Ordinal, int Frequency, int Length)> found)
        {
            if (Segment.Terms.Find(term) is not (>= 0 and var number))
                return 0;
            var count = 0;
            var postings = Segment.PostingsOf(number);
            for (var passage = -1; !postings.IsAtEnd;)
            {
                passage += postings.Next();
                var frequency = postings.Next();
                if (!IsMissing(passage))
                    found[count++] = (First + passage, frequency, Segment.Lengths[passage]);
            }

            return count;
        }

        public int? FindPage(string url)
        {
            for (var document = 0; document < Segment.Urls.Length; document++)
                if (Segment.Urls[document] == url
                    && Segment.FirstPassages[document] is var first && first < Segment.FirstPassages[document + 1] && !IsMissing(first))
                    return document;
            return null;
        }

        /// <summary>Whether a passage of the segment is gone.</summary>
        private bool IsMissing(int passage) => IsGone.Length > 0 && IsGone[passage];
    }
}
