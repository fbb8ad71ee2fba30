namespace ChatBackend.Features.Ingest.Progress;

/// <summary>What an upload would change. Each list names at most 1,000 documents.</summary>
/// <param name="AddedCount">Documents that the index lacks.</param>
/// <param name="ChangedCount">Documents that differ from the index, also by their address alone.</param>
/// <param name="MovedCount">Documents that are in the index under another path, which the upload lacks.</param>
/// <param name="RemovedCount">Documents that the upload lacks; none without <c>prune</c>.</param>
/// <param name="PassagesToEmbed">Passages whose vectors are not in the index; 0 without an embedding model.</param>
/// <example>{"added_count":1,"changed_count":1,"moved_count":1,"removed_count":0,"passages_to_embed":14,"added":["module-2/03-new.md"],
/// "changed":["intro.md"],"removed":[]}</example>
internal sealed record IngestPlan(
    int AddedCount, int ChangedCount, int MovedCount, int RemovedCount, int PassagesToEmbed,
    IReadOnlyList<string> Added, IReadOnlyList<string> Changed, IReadOnlyList<MovedDocument> Moved, IReadOnlyList<string> Removed)
{
    public static IngestPlan Of(
        IReadOnlyCollection<string> added, IReadOnlyCollection<string> changed, IReadOnlyDictionary<string, string> moved, IReadOnlyCollection<string> removed,
        int passagesToEmbed)
    {
        string[] only = [.. added.Except(moved.Keys, StringComparer.Ordinal)];
        string[] gone = [.. removed.Except(moved.Values, StringComparer.Ordinal)];
        return new(
            only.Length, changed.Count, moved.Count, gone.Length, passagesToEmbed, Named(only), Named(changed),
            [.. moved.OrderBy(m => m.Key, StringComparer.Ordinal).Take(IngestReport.MaxNamed).Select(m => new MovedDocument(m.Value, m.Key))], Named(gone));
    }

    private static string[] Named(IEnumerable<string> paths) => [.. paths.Order(StringComparer.Ordinal).Take(IngestReport.MaxNamed)];
}

/// <example>{"from":"module-1/nodes.md","to":"module-1/01-nodes.md"}</example>
internal sealed record MovedDocument(string From, string To);
