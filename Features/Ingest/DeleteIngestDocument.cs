using System.ComponentModel;
using ChatBackend.Features.Ingest.Jobs;
using ChatBackend.Infrastructure.Http.OpenApi;
using ChatBackend.Infrastructure.Http.Problems;
using ChatBackend.Infrastructure.Search;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;

namespace ChatBackend.Features.Ingest;

internal static class DeleteIngestDocument
{
    public static void MapDeleteIngestDocument(this IEndpointRouteBuilder ingest) => ingest
        .MapDelete("/documents", HandleAsync)
        .WithName(nameof(DeleteIngestDocument))
        .FailsWith(StatusCodes.Status400BadRequest, "invalid_request", "path must not be empty.")
        .FailsWith(StatusCodes.Status404NotFound, "document_not_found")
        .FailsWith(StatusCodes.Status409Conflict, "ingest_job_running");

    /// <summary>Remove a document from the index</summary>
    /// <remarks>An ingest of the same document adds it again.</remarks>
    /// <response code="204">Its passages are gone.</response>
    /// <response code="400">There is no path.</response>
    /// <response code="404">The index has no such document.</response>
    /// <response code="409">An ingest job is running. Try again when it has ended.</response>
    internal static async Task<Results<NoContent, ProblemHttpResult>> HandleAsync(
        [FromQuery(Name = "path"), Description("The document's path in the book."), Example("module-1/01-nodes.md")] string? path,
        JobPause pause, IPassageIndex index, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(path) || path.Length > UploadedDocument.MaxPathLength)
            return Problem.Invalid("path", $"path must not be empty, and {UploadedDocument.MaxPathLength} characters or fewer.");

        // A job may be writing the same document.
        var isFound = false;
        var isRemoved = await pause.TryRunAsync(
            async token =>
            {
                // Not forgotten by a second try, which does not find what the first one removed.
                isFound |= (await index.GetDocumentsAsync(token)).ContainsKey(path);
                if (isFound)
                    await index.RemoveAsync([path], token);
            },
            cancellationToken);
        if (!isRemoved)
            return Problem.Of(StatusCodes.Status409Conflict, "ingest_job_running", "An ingest job is running. Try again when it has ended.");
        return isFound ? TypedResults.NoContent() : Problem.NotFound("document_not_found", "The index has no document with this path.");
    }
}
