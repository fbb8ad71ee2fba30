namespace ChatBackend.Features.Ingest.Progress;

/// <summary>What a job has done so far. A job's last report says what it did.</summary>
/// <param name="Documents">Documents of the upload.</param>
/// <param name="Done">Documents that are dealt with, in any way.</param>
/// <param name="Ingested">Documents that were new or had changed.</param>
/// <param name="Passages">Passages of the ingested documents.</param>
/// <param name="Embedded">Passages that were sent to the embedding model; the vectors of the others were in the index.</param>
/// <param name="Unchanged">Documents that the index had already.</param>
/// <param name="Removed">Documents that the upload lacks.</param>
/// <param name="Drafts">Drafts; they are not ingested.</param>
/// <param name="FailedCount">Documents that could not be ingested; the index keeps their old versions.</param>
/// <param name="Failed">At most 1,000 of them, with the reason.</param>
/// <param name="Skipped">Files that have a document's name but are none, such as a broken link, and pages that the site does not publish; at most 1,000.</param>
/// <param name="WaitsFor">What the job waits for at the moment; null when it does not wait.</param>
/// <param name="Plan">What the upload would change; null unless the job is a plan that has completed.</param>
/// <example>{"documents":1203,"done":410,"ingested":30,"passages":214,"embedded":96,"unchanged":378,"removed":0,"drafts":2,"failed_count":0,
/// "failed":[],"skipped":[],"warnings":[],"notice":null,"waits_for":null,"plan":null}</example>
internal sealed record IngestReport(
    int Documents, int Done, int Ingested, int Passages, int Embedded, int Unchanged, int Removed, int Drafts, int FailedCount,
    IReadOnlyList<FailedDocument> Failed, IReadOnlyList<FailedDocument> Skipped, string? WaitsFor, IngestPlan? Plan)
{
    /// <summary>What authors should look at, at most 1,000: headings that the built site does not have.</summary>
    public IReadOnlyList<FailedDocument> Warnings { get; init; } = [];

    /// <summary>What an operator should look at, of the job as a whole; null if there is nothing.</summary>
    public string? Notice { get; init; }

    /// <summary>The most documents that a list names.</summary>
    public const int MaxNamed = 1_000;

    /// <summary>What is saved at every beat; the lists are saved on their own.</summary>
    public IngestReport WithoutLists() => this with { Failed = [], Skipped = [], Warnings = [] };

    public static readonly IngestReport Empty = new(0, 0, 0, 0, 0, 0, 0, 0, 0, [], [], null, null);
}

/// <summary>A document that could not be ingested.</summary>
/// <param name="Path">Its path in the book.</param>
/// <param name="Reason">Why, for a person.</param>
/// <example>{"path":"module-1/02-broken.md","reason":"The file is not UTF-8 text."}</example>
internal sealed record FailedDocument(string Path, string Reason);
