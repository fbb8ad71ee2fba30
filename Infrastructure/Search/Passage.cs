using System.Collections.Frozen;
using System.Runtime.InteropServices;
using ChatBackend.Infrastructure.Search.Words;

namespace ChatBackend.Infrastructure.Search;

/// <remarks>Dapper sets the properties. Npgsql reports an array column as System.Array, which Dapper can assign only to an array property.</remarks>
internal sealed record Passage
{
    /// <summary>UUIDv5 of the document's path and the content.</summary>
    public required Guid Id { get; init; }

    public required string DocumentPath { get; init; }

    public required int Position { get; init; }

    public required string Title { get; init; }

    /// <summary>Title and headings, outermost first.</summary>
    public required string[] HeadingPath { get; init; }

    public string Headings => string.Join(" › ", HeadingPath);

    /// <summary>The page's address with the heading's anchor.</summary>
    public required string Url { get; init; }

    /// <summary>The page's address without anchor and trailing slash.</summary>
    public string Page => Url.Split('#')[0].TrimEnd('/');

    public required string Text { get; init; }

    /// <summary>The index's own measure; higher is better. It can be compared within one answer only.</summary>
    public double Score { get; init; }

    /// <summary>The share (0 to 1) of the query that this passage holds (<see cref="Words.Coverage"/>).</summary>
    public double Coverage { get; init => field = Math.Clamp(value, 0, 1); }

    /// <summary>Cosine similarity to the query; null without an embedder. The values of two models cannot be compared.</summary>
    public double? Similarity { get; init; }

    /// <summary>How much more similar it is than the book is to questions that it does not answer (<see cref="Meaning.UnrelatedQuestions"/>);
    /// from 0 on, it is related to the query. Null if that was not measured.</summary>
    public double? Nearness { get; init; }

    /// <summary>Which version of its document it belongs to; null in PostgreSQL, where a document has only one.</summary>
    public string? Generation { get; init; }

    /// <summary>How much of the reader's selected text it holds, in thousandths; null if it does not hold it.</summary>
    public int? Holds { get; init; }

    public bool HoldsSelection => Holds is not null;

    /// <summary>A nearest passage always exists. One that shares no word with the question is unrelated, unless it is near.</summary>
    public bool IsRelated => HoldsSelection || Score == 0 || Coverage > 0 || Nearness is not < 0;

    /// <summary>The innermost heading, or the page's title if there is none.</summary>
    public string Heading => HeadingPath[^1];

    /// <summary>The terms that find it. An index that knows them sets them, and those below: cutting a text into words takes longer than all of a search.</summary>
    public AnalyzedText Terms { get => field ??= PassageTerms.Of(HeadingPath, Text); init; }

    public AnalyzedText HeadingTerms { get => field ??= TextAnalyzer.Analyze(string.Join('\n', HeadingPath)); init; }

    public IReadOnlyList<AnalyzedText> Sentences { get => field ??= PassageTerms.OfSentences(Text); init; }

    /// <summary>Itself with its coverage of a question.</summary>
    public Passage CoveredBy(Coverage question)
    {
        // Before the copy, which keeps the terms.
        var coverage = question.OfPassage(Terms, HeadingTerms, Sentences);
        return this with { Coverage = coverage };
    }

    /// <summary>Itself without the terms that only a search asks for: an answer keeps its passages until it is written.</summary>
    public Passage Chosen() => this with { HeadingTerms = new(FrozenDictionary<string, int>.Empty, 0), Sentences = [] };

    /// <summary>What is embedded of it.</summary>
    public string EmbeddedText => $"{Headings}\n\n{Text}";

    /// <summary>The same for the same content wherever it is: passages with equal keys have equal vectors.</summary>
    /// <param name="model">The embedding model; empty for none.</param>
    public Guid ContentKey(string model) => PassageId.OfContent(EmbeddedText, model);

    /// <summary>The passages of a document, in order. Characters that cannot be stored are replaced.</summary>
    public static Passage[] Of(IndexedDocument document)
    {
        var title = StoredText.Clean(document.Title);
        var repetitions = new Dictionary<Guid, int>();
        return
        [
            .. document.Chunks.Select(chunk => new Passage
            {
                Id = PassageId.Of(document.Path, chunk, CollectionsMarshal.GetValueRefOrAddDefault(repetitions, PassageId.Of(document.Path, chunk), out _)++),
                DocumentPath = StoredText.Clean(document.Path),
                Position = chunk.Position,
                Title = title,
                HeadingPath = [.. chunk.HeadingPath.Select(StoredText.Clean).Prepend(title)],
                Url = StoredText.Clean(PageUrl.WithAnchor(document.Url, chunk.Anchor)),
                Text = StoredText.Clean(chunk.Text),
            }),
        ];
    }
}
