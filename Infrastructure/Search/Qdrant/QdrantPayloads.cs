using System.Text.Json.Serialization;

namespace ChatBackend.Infrastructure.Search.Qdrant;

/// <summary>The payload fields that filters use. Each has an index, because Qdrant Cloud rejects filters on other fields.</summary>
internal static class QdrantFields
{
    public const string Kind = "kind";
    public const string Path = "path";
    public const string Generation = "generation";
    public const string Position = "position";
    public const string PassageId = "passage_id";
    public const string PageUrl = "page_url";
    public const string ContentKey = "content_key";

    /// <summary>The long field of a document, without an index.</summary>
    public const string Outlined = "outlined";

    public const string Passage = "passage";

    public const string Document = "document";

    public const string Threshold = "threshold";

    public const string Book = "book";

    /// <summary>What a passage is ranked by.</summary>
    public static readonly IReadOnlyList<string> OfCandidate = [Kind, Path, Generation, Position, PassageId, "url"];

    public static readonly IReadOnlyList<(string Field, string Type)> Indexed =
    [
        (Kind, "keyword"), (Path, "keyword"), (Generation, "keyword"), (Position, "integer"), (PassageId, "uuid"), (PageUrl, "keyword"),
        (ContentKey, "uuid"),
    ];
}

/// <summary>What a point holds besides its vectors.</summary>
[JsonPolymorphic(TypeDiscriminatorPropertyName = QdrantFields.Kind)]
[JsonDerivedType(typeof(QdrantPassage), QdrantFields.Passage)]
[JsonDerivedType(typeof(QdrantDocument), QdrantFields.Document)]
[JsonDerivedType(typeof(QdrantMeasured), QdrantFields.Threshold)]
[JsonDerivedType(typeof(QdrantBook), QdrantFields.Book)]
internal abstract record QdrantPayload;

/// <param name="ContentKey"><see cref="Passage.ContentKey"/>, for the model of its vector.</param>
/// <param name="Text">Null, like title and headings, if only the fields of a candidate were asked for.</param>
internal sealed record QdrantPassage(
    string Path, string Generation, Guid PassageId, int Position, string? Title, string[]? HeadingPath, string Url, string PageUrl, string? Text, Guid ContentKey)
    : QdrantPayload
{
    public static QdrantPassage Of(Passage passage, string generation, Guid contentKey) => new(
        passage.DocumentPath, generation, passage.Id, passage.Position, passage.Title, passage.HeadingPath, passage.Url, passage.Page, passage.Text, contentKey);

    /// <summary>The point of a passage. It depends on the generation, because writing an unchanged passage must not remove it from the old set.</summary>
    public static Guid PointOf(Passage passage, string generation) => UuidVersion5.Create(passage.Id, generation);

    /// <summary>Without text, title and headings if the payload lacks them.</summary>
    public Passage ToPassage() => new()
    {
        Id = PassageId,
        DocumentPath = Path,
        Position = Position,
        Title = Title ?? "",
        HeadingPath = HeadingPath ?? [],
        Url = Url,
        Text = Text ?? "",
        Generation = Generation,
    };
}

/// <summary>A document's payload. An update of this point publishes a new version of the document.</summary>
/// <param name="Generation">The version that searches return; empty for none.</param>
/// <param name="Revision">Changes whenever <paramref name="Generation"/> changes.</param>
/// <param name="ContentHash">The source's hash; empty until the change is complete, so that the next ingest repeats it.</param>
/// <param name="EmbeddingModel">The model that created the dense vectors; empty without one.</param>
internal sealed record QdrantDocument(string Path, string Generation, Guid Revision, string ContentHash, int AnalyzerVersion, string EmbeddingModel) : QdrantPayload
{
    /// <summary>Belongs to <see cref="Generation"/>.</summary>
    public OutlinedDocument? Outlined { get; init; }

    /// <summary>Of <see cref="Generation"/>.</summary>
    public int Passages { get; init; }

    /// <summary>When <see cref="Generation"/> was published.</summary>
    public DateTime IngestedAt { get; init; }

    /// <summary>True if no passage of another version is left.</summary>
    [JsonIgnore]
    public bool IsComplete => ContentHash.Length > 0;
}

/// <param name="Value">The similarity from which on a passage is related to a question.</param>
/// <param name="Basis">The documents and questions that it was measured with; another value makes it out of date.</param>
internal sealed record QdrantMeasured(double Value, string EmbeddingModel, int Dimensions, string Basis) : QdrantPayload;

/// <summary>The payload of one point, which every change of a document writes.</summary>
/// <param name="Revision">A new one after every change: what was learnt of the whole book holds for one revision.</param>
internal sealed record QdrantBook(Guid Revision) : QdrantPayload
{
    private static readonly Guid Id = UuidVersion5.Create(QdrantDocuments.Namespace, "\nbook");

    public static QdrantPoint Changed() => new(Id, new Dictionary<string, object>(), new QdrantBook(Guid.NewGuid()));
}
