using System.Runtime.InteropServices;
using ChatBackend.Infrastructure.Search.Meaning;

namespace ChatBackend.Infrastructure.Search.Memory;

/// <summary>Makes an <see cref="IndexSegment"/> of documents as PostgreSQL has them, and of other segments.</summary>
internal sealed class SegmentBuilder
{
    private readonly List<Guid> _documentIds = [];
    private readonly List<string> _urls = [];
    private readonly List<string?> _languages = [];
    private readonly List<PassageVectors?> _vectors = [];
    private readonly List<int> _firstPassages = [];
    private readonly List<Guid> _passageIds = [];
    private readonly List<int> _lengths = [];
    private readonly TermTable _terms = new();
    private readonly List<(NumberWriter Written, int End)> _postings = [];
    private readonly List<int> _contentStarts = [];
    private NumberWriter _contents;

    public IReadOnlyList<Guid> DocumentIds => _documentIds;

    /// <param name="terms">As <see cref="PackedTerms"/> packed them.</param>
    /// <param name="language">Of a translation; null for other documents.</param>
    /// <exception cref="SearchException">A later version of the service wrote them.</exception>
    public void Add(Guid documentId, string url, ReadOnlySpan<byte> terms, PassageVectors? vectors = null, string? language = null)
    {
        var reader = new NumberReader(terms);
        if (reader.Next() != PackedTerms.Format)
            throw PackedTerms.Later();

        AddDocument(documentId, url, vectors, language);
        var numbers = new int[reader.Next()];
        for (var i = 0; i < numbers.Length; i++)
            numbers[i] = _terms.Add(reader.Take(reader.Next()));
        for (var left = reader.Next(); left > 0; left--)
        {
            AddPassage(new(reader.Take(16)), reader.Next());
            AddTerms(ref reader, numbers);
            _contents.Add(reader.Take(reader.Next()));
        }
    }

    /// <summary>Adds the documents of a segment, except some.</summary>
    public void Add(IndexSegment segment, Predicate<int> isLeftOut)
    {
        // Only the terms that are still in use get a number.
        var numbers = new int[segment.Terms.Count];
        Array.Fill(numbers, -1);
        for (var document = 0; document < segment.DocumentIds.Length; document++)
        {
            if (isLeftOut(document))
                continue;
            AddDocument(segment.DocumentIds[document], segment.Urls[document], segment.Vectors[document], segment.Languages[document]);
            for (var passage = segment.FirstPassages[document]; passage < segment.FirstPassages[document + 1]; passage++)
            {
                AddPassage(segment.PassageIds[passage], segment.Lengths[passage]);
                var reader = segment.ContentsOf(passage);
                AddTerms(ref reader, numbers, segment.Terms);
                _contents.Add(reader.Rest);
            }
        }
    }

    public IndexSegment Build()
    {
        CollectionsMarshal.SetCount(_postings, _terms.Count);
        var starts = new int[_postings.Count + 1];
        for (var term = 0; term < _postings.Count; term++)
            starts[term + 1] = checked(starts[term] + _postings[term].Written.Count);
        var postings = new byte[starts[^1]];
        for (var term = 0; term < _postings.Count; term++)
            _postings[term].Written.Written.CopyTo(postings.AsSpan(starts[term]));
        return new()
        {
            DocumentIds = [.. _documentIds],
            Urls = [.. _urls],
            Languages = [.. _languages],
            Vectors = [.. _vectors],
            FirstPassages = [.. _firstPassages, _passageIds.Count],
            PassageIds = [.. _passageIds],
            Lengths = [.. _lengths],
            Terms = _terms,
            Postings = postings,
            PostingStarts = starts,
            Contents = _contents.Written.ToArray(),
            ContentStarts = [.. _contentStarts, _contents.Count],
        };
    }

    private void AddDocument(Guid id, string url, PassageVectors? vectors, string? language)
    {
        _documentIds.Add(id);
        _urls.Add(url);
        _languages.Add(language);
        _vectors.Add(vectors);
        _firstPassages.Add(_passageIds.Count);
    }

    private void AddPassage(Guid id, int length)
    {
        _passageIds.Add(id);
        _lengths.Add(length);
        _contentStarts.Add(_contents.Count);
    }

    /// <param name="numbers">Our numbers of the terms that are read; -1 for one that has none yet.</param>
    /// <param name="others">The texts of the terms that are read.</param>
    private void AddTerms(ref NumberReader reader, int[] numbers, TermTable? others = null)
    {
        var count = reader.Next();
        _contents.Add(count);
        while (count-- > 0)
        {
            var other = reader.Next();
            if (numbers[other] < 0)
                numbers[other] = _terms.Add(others!.TextOf(other));
            var frequency = reader.Next();
            _contents.Add(numbers[other]);
            _contents.Add(frequency);

            CollectionsMarshal.SetCount(_postings, Math.Max(_postings.Count, _terms.Count));
            ref var postings = ref CollectionsMarshal.AsSpan(_postings)[numbers[other]];
            // The first ordinal is counted from -1.
            postings.Written.Add(_passageIds.Count - postings.End);
            postings.Written.Add(frequency);
            postings.End = _passageIds.Count;
        }
    }
}
