using ChatBackend.Infrastructure.Search.Meaning;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search.Memory;

/// <summary>An inverted index over the passages of some documents, in a few arrays without references. It does not change. Passages have ordinals:
/// those of a document follow each other.</summary>
internal sealed class IndexSegment
{
    public static readonly IndexSegment Empty = new SegmentBuilder().Build();

    public required Guid[] DocumentIds { get; init; }

    /// <summary>The addresses of the documents' pages, without a slash at the end.</summary>
    public required string[] Urls { get; init; }

    /// <summary>The language of each document that is a translation; null for others.</summary>
    public required string?[] Languages { get; init; }

    /// <summary>Null for a document whose passages have none.</summary>
    public required PassageVectors?[] Vectors { get; init; }

    /// <summary>The ordinal of each document's first passage, and the number of all passages.</summary>
    public required int[] FirstPassages { get; init; }

    public required Guid[] PassageIds { get; init; }

    /// <summary>In terms.</summary>
    public required int[] Lengths { get; init; }

    public required TermTable Terms { get; init; }

    /// <summary>For each term the ordinals of its passages, each as the difference from the one before, and its frequency there.</summary>
    public required byte[] Postings { get; init; }

    /// <summary>Where the postings of each term begin, and where the last ones end.</summary>
    public required int[] PostingStarts { get; init; }

    /// <summary>For each passage its terms and frequencies, and what <see cref="PackedTerms"/> has of its headings and sentences.</summary>
    public required byte[] Contents { get; init; }

    public required int[] ContentStarts { get; init; }

    public int PassageCount => PassageIds.Length;

    public NumberReader PostingsOf(int term) => new(Postings.AsSpan(PostingStarts[term]..PostingStarts[term + 1]));

    public NumberReader ContentsOf(int passage) => new(Contents.AsSpan(ContentStarts[passage]..ContentStarts[passage + 1]));

    public int DocumentOf(int passage)
    {
        // A document without passages has the same first passage as the next one.
        var found = Array.BinarySearch(FirstPassages, passage);
        if (found < 0)
            return ~found - 1;
        while (FirstPassages[found + 1] == passage)
            found++;
        return found;
    }

    public AnalyzedText TermsOf(int passage)
    {
        var contents = ContentsOf(passage);
        var (terms, frequencies) = ReadTerms(ref contents);
        return new(new NumberedTerms(Terms, terms, frequencies), Lengths[passage]);
    }

    /// <summary>The passage with what the coverage and the search for near-duplicates need to know of its words.</summary>
    public Passage WithTerms(Passage passage, int ordinal)
    {
        var contents = ContentsOf(ordinal);
        var (terms, frequencies) = ReadTerms(ref contents);
        var headings = Part(ref contents);
        var sentences = new AnalyzedText[contents.Next()];
        for (var i = 0; i < sentences.Length; i++)
            sentences[i] = Part(ref contents);
        return passage with { Terms = new(new NumberedTerms(Terms, terms, frequencies), Lengths[ordinal]), HeadingTerms = headings, Sentences = sentences };

        AnalyzedText Part(ref NumberReader contents)
        {
            var part = new int[contents.Next()];
            for (var i = 0; i < part.Length; i++)
                part[i] = terms[contents.Next()];
            return new(new NumberedTerms(Terms, part), part.Length);
        }
    }

    private static (int[] Terms, int[] Frequencies) ReadTerms(ref NumberReader contents)
    {
        var terms = new int[contents.Next()];
        var frequencies = new int[terms.Length];
        for (var i = 0; i < terms.Length; i++)
            (terms[i], frequencies[i]) = (contents.Next(), contents.Next());
        return (terms, frequencies);
    }
}
