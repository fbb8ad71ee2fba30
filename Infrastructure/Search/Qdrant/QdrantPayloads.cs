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

    public const string Passage = "passage";

    public const string Document = "document";

    public const string Threshold = "threshold";

    public static readonly IReadOnlyList<(string Field, string Type)> Indexed =
    [
        (Kind, "keyword"), (Path, "keyword"), (Generation, "keyword"), (Position, "integer"), (PassageId, "uuid"), (PageUrl, "keyword"),
        (ContentKey, "uuid"),
    ];
}

/// <summary>A passage as Qdrant stores it.</summary>
/// <param name="ContentKey"><see cref="Passage.ContentKey"/>, for the model of its vector.</param>
internal sealed record QdrantPassage(
    string Kind, string Path, string Generation, Guid PassageId, int Position, string Title, string[] HeadingPath, string Url, string PageUrl, string Text,
    Guid ContentKey)
{
    public static QdrantPassage Of(Passage passage, string generation, Guid contentKey) => new(
        QdrantFields.Passage, passage.DocumentPath, generation, passage.Id, passage.Position, passage.Title, passage.HeadingPath, passage.Url,
        passage.Page, passage.Text, contentKey);

    public Passage ToPassage() => new()
    {
        Id = PassageId,
        DocumentPath = Path,
        Position = Position,
        Title = Title,
        HeadingPath = HeadingPath,
        Url = Url,
        Text = Text,
        Generation = Generation,
    };
}

/// <summary>A document's payload. An update of this point publishes a new version of the document.</summary>
/// <param name="Generation">The version that searches return; empty for none.</param>
/// <param name="Revision">Changes whenever <paramref name="Generation"/> changes.</param>
/// <param name="ContentHash">The source's hash; empty until the change is complete, so that the next ingest repeats it.</param>
/// <param name="EmbeddingModel">The model that created the dense vectors; empty without one.</param>
internal sealed record QdrantDocument(
    string Kind, string Path, string Generation, Guid Revision, string ContentHash, int AnalyzerVersion, string EmbeddingModel)
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
