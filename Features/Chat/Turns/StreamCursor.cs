namespace ChatBackend.Features.Chat.Turns;

/// <summary>A reader's position in a turn's stream, sent as the id of each event.</summary>
/// <param name="Attempt">The attempt whose events were sent; 0 before the first.</param>
/// <param name="Sources">0 before the citations event; then the number of citations sent, plus one.</param>
/// <param name="Offset">The length of the text that was sent, in UTF-16 code units.</param>
internal sealed record StreamCursor(int Attempt, int Sources, int Offset)
{
    public static string EndOf(int attempt) => $"{attempt}.end";

    public override string ToString() => $"{Attempt}.{Sources}.{Offset}";

    /// <summary>Any other text means the start.</summary>
    public static StreamCursor Parse(string? id) =>
        id?.Split('.') is [var a, var s, var o]
        && int.TryParse(a, out var attempt) && int.TryParse(s, out var sources) && int.TryParse(o, out var offset)
        && attempt >= 0 && sources >= 0 && offset >= 0
            ? new(attempt, sources, offset)
            : new(0, 0, 0);
}
