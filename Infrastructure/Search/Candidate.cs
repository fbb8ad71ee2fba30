
namespace ChatBackend.Infrastructure.Search;

/// <summary>A passage that an index found, before the answer is put in order. Properties and no constructor: Npgsql calls an array column's type System.Array, which fits none.</summary>
internal sealed record Candidate
{
    public required Guid Id { get; init; }
    public required string DocumentPath { get; init; }
    public required int Position { get; init; }
    public required string Title { get; init; }
    public required string Heading { get; init; }
    public required string[] HeadingPath { get; init; }
    public required string Url { get; init; }
    public required string Text { get; init; }
    public required double Score { get; init; }
    public required double Coverage { get; init; }

    /// <summary>How near the passage's meaning is to the query's; null where that is not known.</summary>
    public double? Similarity { get; init; }

    /// <summary>How much of the selection it seems to hold, in thousandths; null: it does not.</summary>
    public int? Holds { get; init; }

    public Passage ToPassage(bool holdsSelection) =>
        new(Id, DocumentPath, Position, Title, Heading, HeadingPath, Url, Text, Score)
        {
            Coverage = Math.Clamp(Coverage, 0, 1),
            Similarity = Similarity,
            HoldsSelection = holdsSelection,
        };
}
